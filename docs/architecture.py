"""The source as a map: a table of its files, and a picture of which folder imports which.

docs/generate.py makes both from the code: the table from the first paragraph of each file's
docstring, the picture from the imports that grimp finds.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]

PUBLIC = "seqzoo/__init__.py"
PLUGINS = "plugins/"

Arrow = tuple[str, str]


def file_map() -> str:
    """Every Python file with the first paragraph of its docstring, under its folder's."""
    blocks = []
    for folder, files in _sources().items():
        lines = [f"### {_relative(folder)}/", "", "| file | what is in it |", "|---|---|"]
        lines += [f"| [{path.name}](../{_relative(path)}) | {_summary(path)} |" for path in files]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def picture() -> str:
    """The folders in layers, each above what it imports, as SVG.

    Two kinds of arrows would hide the rest and are left out: those that a longer way says too, and
    those into the lowest layer, which every folder may use.
    """
    arrows = folder_imports()
    layer_of = _layers(arrows)
    drawn = {(upper, lower) for upper, lower in _direct(arrows) if layer_of[lower]}
    return _draw(_ordered(layer_of, drawn), drawn)


def folder_imports() -> set[Arrow]:
    """Which folder of seqzoo/ (or file directly in it) imports which, from the real imports.

    Imports for the type checker alone are left out, but for those of `seqzoo/__init__.py`: they
    are the public names, which it loads on first use.
    """
    run_time = _graph(type_checking=False)
    everything = _graph(type_checking=True)
    arrows = {
        (_folder(importer), _folder(imported))
        for graph, modules in ((run_time, run_time.modules), (everything, {"seqzoo"}))
        for importer in modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    return {(upper, lower) for upper, lower in arrows if upper != lower}


def _graph(*, type_checking: bool) -> grimp.ImportGraph:
    return grimp.build_graph(
        "seqzoo",
        "seqzoo_plugins",
        exclude_type_checking_imports=not type_checking,
        cache_dir=None,
    )


def _folder(module: str) -> str:
    package, *inside = module.split(".")
    if package == "seqzoo_plugins":
        return PLUGINS
    if not inside:
        return PUBLIC
    is_folder = (ROOT / "seqzoo" / inside[0]).is_dir()
    return f"{inside[0]}/" if is_folder else f"{inside[0]}.py"


def _layers(arrows: set[Arrow]) -> dict[str, int]:
    """The longest way down from each folder; 0 imports nothing. Raises ValueError on a cycle."""
    below: dict[str, set[str]] = defaultdict(set)
    for upper, lower in arrows:
        below[upper].add(lower)
    depth: dict[str, int] = {}

    def measure(folder: str, path: tuple[str, ...]) -> int:
        if folder in path:
            raise ValueError(" -> ".join((*path[path.index(folder) :], folder)))
        if folder not in depth:
            depth[folder] = max(
                (1 + measure(lower, (*path, folder)) for lower in sorted(below[folder])), default=0
            )
        return depth[folder]

    for folder in sorted({end for arrow in arrows for end in arrow}):
        measure(folder, ())
    # What plugins write against belongs as close under them as it can be.
    depth[PLUGINS] = depth[PUBLIC] + 1
    return depth


def _direct(arrows: set[Arrow]) -> set[Arrow]:
    """The arrows without those that a longer way says too."""
    below: dict[str, set[str]] = defaultdict(set)
    for upper, lower in arrows:
        below[upper].add(lower)

    def reached(folder: str) -> set[str]:
        found = set(below[folder])
        for lower in below[folder]:
            found |= reached(lower)
        return found

    return {
        (upper, lower)
        for upper, lower in arrows
        if not any(lower in reached(other) for other in below[upper] - {lower})
    }


Layers = list[list[str]]
"""Names from left to right, the highest layer first. `a>b` is where the arrow from a to b passes
through a layer between them."""


def _ordered(layer_of: dict[str, int], arrows: set[Arrow]) -> Layers:
    """The folders by layer, each near those that it is connected with, so that few arrows cross."""
    layers: Layers = [[] for _ in range(max(layer_of.values()) + 1)]
    near: dict[str, list[str]] = defaultdict(list)
    for folder, layer in sorted(layer_of.items()):
        layers[layer].append(folder)
    for upper, lower in sorted(arrows):
        for above, below in pairwise(_way(upper, lower, layer_of)):
            near[above].append(below)
            near[below].append(above)
        for layer in range(layer_of[lower] + 1, layer_of[upper]):
            layers[layer].append(_passing(upper, lower, layer))
    layers.reverse()
    place: dict[str, float] = {}
    for layer_names in layers:
        place |= _places(layer_names)
    for _ in range(24):
        for layer_names in (*layers, *reversed(layers)):
            layer_names.sort(
                key=lambda name: (sum(place[x] for x in near[name]) / max(len(near[name]), 1), name)
            )
            place |= _places(layer_names)
    return layers


def _places(names: list[str]) -> dict[str, float]:
    """The middle of each name in a row of width 1."""
    widths = [_width(name) for name in names]
    total = sum(widths) + _GAP * (len(names) + 1)
    middles = {}
    left = float(_GAP)
    for name, width in zip(names, widths, strict=True):
        middles[name] = (left + width / 2) / total
        left += width + _GAP
    return middles


def _way(upper: str, lower: str, layer_of: dict[str, int]) -> list[str]:
    between = range(layer_of[upper] - 1, layer_of[lower], -1)
    return [upper, *(_passing(upper, lower, layer) for layer in between), lower]


def _passing(upper: str, lower: str, layer: int) -> str:
    return f"{upper}>{lower}@{layer}"


_PAGE, _ROW, _BOX, _GAP, _MARGIN = 860, 78, 30, 26, 24


def _width(name: str) -> int:
    return 8 if ">" in name else 26 + 8 * len(name)


def _draw(layers: Layers, arrows: set[Arrow]) -> str:
    centre = {}
    layer_of = {}
    for row, names in enumerate(layers):
        for name, place in _places(names).items():
            centre[name] = (place * _PAGE, _MARGIN + row * _ROW)
            layer_of[name] = len(layers) - 1 - row
    height = 2 * _MARGIN + (len(layers) - 1) * _ROW + _BOX
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_PAGE} {height}" role="img">',
        "<title>Which folder of seqzoo imports which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#5b6770"/></marker></defs>',
        f'<rect width="{_PAGE}" height="{height}" fill="#ffffff"/>',
    ]
    band = _MARGIN + (len(layers) - 1) * _ROW - 22
    lines += [
        f'<path d="M0 {band}H{_PAGE}" stroke="#b8c4cc" stroke-dasharray="5 4"/>',
        f'<text x="{_PAGE - 8}" y="{band - 7}" text-anchor="end" fill="#5b6770" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">'
        "every folder above may use the row below</text>",
    ]
    for upper, lower in sorted(arrows):
        way = [centre[name] for name in _way(upper, lower, layer_of)]
        lines.append(
            f'<path d="{_curve(way)}" fill="none" stroke="#5b6770" stroke-width="1.2" '
            'marker-end="url(#tip)"/>'
        )
    for name in sorted(name for name in centre if ">" not in name):
        x, y = centre[name]
        width = _width(name)
        fill = "#fff4d6" if name in (PLUGINS, PUBLIC) else "#e8f1fa"
        lines.append(
            f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width}" height="{_BOX}" rx="5" '
            f'fill="{fill}" stroke="#33556e"/>'
        )
        lines.append(
            f'<text x="{x:.0f}" y="{y + 20:.0f}" text-anchor="middle" fill="#12232f" '
            f'font-family="Menlo, Consolas, monospace" font-size="13">{escape(name)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _curve(way: Sequence[tuple[float, float]]) -> str:
    """From under the first box to the top of the last, upright where it meets a row."""
    x, y = way[0][0], way[0][1] + _BOX
    path = f"M{x:.0f} {y:.0f}"
    for index, (to_x, top) in enumerate(way[1:], start=1):
        is_last = index == len(way) - 1
        bend = (top - y) / 2
        path += f"C{x:.0f} {y + bend:.0f} {to_x:.0f} {top - bend:.0f} {to_x:.0f} {top:.0f}"
        if not is_last:
            path += f"V{top + _BOX:.0f}"
        x, y = to_x, top + _BOX
    return path


def _sources() -> dict[Path, list[Path]]:
    """The Python files of each folder that says something about itself; the core first."""
    files: dict[Path, list[Path]] = {}
    for top in ("seqzoo", "plugins/seqzoo_plugins"):
        for path in sorted((ROOT / top).rglob("*.py"), key=lambda path: (path.parent, path.name)):
            if _summary(path):
                files.setdefault(path.parent, []).append(path)
    return files


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _summary(path: Path) -> str:
    """The first paragraph of a file's docstring, fit for a table."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    words = " ".join(docstring.partition("\n\n")[0].split())
    return escape(words, quote=False).replace("|", "\\|")
