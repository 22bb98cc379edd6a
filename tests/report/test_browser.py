"""The pages in a real browser: drawn, readable, without errors, and nothing leaves them.

They need the extra `seqzoo[browser]` and a Chromium of the system, and are skipped without.
"""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import seqzoo
from seqzoo.report.live import LiveServer
from seqzoo.report.page import report_on, report_on_several

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the pages are driven with the extra seqzoo[browser]"
)
pytest.importorskip("axe_playwright_python", reason="axe comes with the extra seqzoo[browser]")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

SIZES = {"wide": 1280, "narrow": 400}


@functools.cache
def axe() -> str:
    """The script that examines a page for people who cannot see it, or use no mouse."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()


@contextmanager
def opened(address: str, *, width: int, scheme: Any = "light", **more: Any) -> Iterator[Any]:
    """A page in a browser; an error on its console, and a request to elsewhere, fail the test."""
    wrong: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # The policy of the page is kept; axe is added beside it, by the browser itself.
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **more
        )
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))

        def see(request: Any) -> None:
            if not request.url.startswith((address, "data:")):
                wrong.append(f"request: {request.url}")

        page.on("request", see)
        page.goto(address)
        yield page
        browser.close()
    assert wrong == []


def problems_of(page: Any) -> list[str]:
    """What axe calls serious or critical."""
    page.evaluate(axe())
    found = page.evaluate("() => axe.run()")["violations"]
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


@pytest.fixture
def page_file(small: seqzoo.Run, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(report_on(small).page, encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_report_is_drawn_and_has_no_serious_problem(
    page_file: Path, size: str, scheme: str
) -> None:
    with opened(page_file.as_uri(), width=SIZES[size], scheme=scheme) as page:
        curves = page.locator("svg[data-xmax]").first.locator("polyline.curve")
        assert curves.count() == 2
        box = curves.nth(1).bounding_box()
        assert box["width"] > 100
        assert box["height"] > 10
        # Nothing makes the page itself wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]
        assert problems_of(page) == []


def test_a_chart_shows_its_values_under_the_pointer_and_for_the_keyboard(page_file: Path) -> None:
    with opened(page_file.as_uri(), width=1280) as page:
        chart = page.locator("svg[data-xmax]").first
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        reading = page.locator(".reading").first
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
        first = reading.inner_text()
        assert "validation: " in first
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
        assert reading.inner_text() != first
        value = float(reading.inner_text().split("validation: ")[1].split()[0])
        assert 1 < value < 8
        page.mouse.move(2, 2)
        assert not reading.is_visible()
        chart.focus()
        page.keyboard.press("ArrowLeft")
        at_end = reading.inner_text()
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        assert reading.inner_text() != at_end


def test_a_page_can_be_read_without_script_and_printed(page_file: Path, tmp_path: Path) -> None:
    with opened(page_file.as_uri(), width=1280, java_script_enabled=False) as page:
        assert page.locator("polyline.curve").count() == 3
        assert page.locator("h2").count() == 10
        page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_runs_side_by_side_have_no_serious_problem(small: seqzoo.Run, tmp_path: Path) -> None:
    path = tmp_path / "both.html"
    path.write_text(report_on_several([small.path, small.path]).page, encoding="utf-8")
    with opened(path.as_uri(), width=1280) as page:
        assert page.locator("polyline.curve").count() == 6
        assert problems_of(page) == []


@pytest.mark.usefixtures("loopback")
def test_new_points_and_samples_appear_without_a_reload(small: seqzoo.Run, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(small.path, run)
    with LiveServer(run, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with opened(server.url, width=1280) as page:
            page.evaluate("window.isTheSame = true")
            before = page.locator("polyline.curve").first.get_attribute("points")
            with (run / "metrics.jsonl").open("a") as file:
                file.write('{"step": 90, "bits_per_byte": 3.5, "bytes": 12000}\n')
            (run / "samples" / "step-90.txt").write_text("<b>a new sample</b>")
            page.get_by_text("<b>a new sample</b>").wait_for(timeout=10_000)
            assert page.locator("polyline.curve").first.get_attribute("points") != before
            assert page.evaluate("window.isTheSame")
            assert problems_of(page) == []
        server.shutdown()
        thread.join()
