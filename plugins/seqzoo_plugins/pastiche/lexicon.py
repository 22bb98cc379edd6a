"""The vocabulary as tables: the possible words at each place of a sentence.

The place follows from the text so far, and so do the arguments of every function here. Words are
weighted by their rank in a list, by the topic of the scene, and by the temper of the speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from seqzoo_plugins.pastiche.table import Entry, Table, blend

__all__ = [
    "DETERMINED",
    "MODALS",
    "PREPOSITIONS",
    "adverbs",
    "bare_nouns",
    "bare_verbs",
    "complements",
    "determiners",
    "finite_verbs",
    "joined_nouns",
    "nouns",
    "participles",
    "predicates",
    "ranked",
    "vocabulary",
]

DETERMINED = {
    "a": "singular",
    "an": "singular",
    "this": "singular",
    "every": "singular",
    "these": "plural",
    "some": "plural",
}
"""Determiners that fix the number of their noun; after the others both numbers are possible."""

MODALS = ["will", "shall", "must", "may", "can", "would", "should", "could", "might"]
PREPOSITIONS = {"thing": 6, "abstract": 3, "person": 1}
"""Shares of prepositions by the kind of their object."""

VERBS = (("thing", 30), ("person", 24), ("abstract", 16), ("alone", 22), ("that", 12))


@cache
def vocabulary() -> dict[str, list[str]]:
    """The lists of vocabulary.txt by name; those of places, trades and rhymes contain phrases."""
    lists: dict[str, list[str]] = {}
    name = ""
    text = resources.files("seqzoo_plugins.pastiche").joinpath("vocabulary.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            lists[name] = []
        elif line and not line.startswith("#"):
            phrases = name.startswith(("places", "trades", "rhymes"))
            lists[name] += [part.strip() for part in line.split(";" if phrases else None)]
    return lists


def ranked(words: Sequence[str], tag: Any = None, *, scale: int = 1) -> list[Entry]:
    """Entries whose weights decrease with rank, from first to last by about half."""
    flat = 8 + len(words)
    return [(word, scale * 60000 // (flat + rank), tag) for rank, word in enumerate(words)]


@cache
def nouns(kind: str, number: str, topic: str, *, adjectives: bool, article: str = "") -> Table:
    """Nouns, tagged (kind, "singular" or "plural"), and adjectives, tagged "adjective".

    The first half of a compound is tagged "joined".

    number: "singular", "plural" or "either". article: after "a" and "an", only words that fit.
    """
    singular, plural = _noun_entries(kind, topic)
    forms = {"singular": ((1, singular),), "plural": ((1, plural),)}.get(
        number, ((3, singular), (1, plural))
    )
    fits = _fits(article)
    parts = [(50 * share, fits(entries)) for share, entries in forms if entries]
    if adjectives:
        described = vocabulary()["adjectives"] + vocabulary().get(f"adjectives {kind}s", [])
        total = sum(share for share, _ in forms)
        parts.append((50 * total, fits(ranked(described, "adjective"))))
    if kind in ("thing", "any"):
        parts.append((20, fits(_first_halves())))
    return Table(blend(*parts))


@cache
def _noun_entries(kind: str, topic: str) -> tuple[list[Entry], list[Entry]]:
    """Singular and plural nouns, tagged (kind, number)."""
    if kind == "any":
        (things, many_things), (persons, many_persons) = (
            _noun_entries(part, topic) for part in ("thing", "person")
        )
        return (
            blend((55, things), (45, persons)),
            blend((55, many_things), (45, many_persons)),
        )
    lists = vocabulary()
    sources = [(f"{kind}s", 5)]
    if kind == "thing":
        # Half of the things belong to the topic of the scene; a few belong to other topics.
        sources += [(f"things {name}", 12 if name == topic else 1) for name in lists["topics"]]
    weighted = [entry for name, scale in sources for entry in ranked(lists[name], scale=scale)]
    singular = [(_base(word), weight, (kind, "singular")) for word, weight, _ in weighted]
    if kind == "abstract":
        return singular, []
    same = {word for word, _, _ in singular}
    plural = [(_plural(word), weight, (kind, "plural")) for word, weight, _ in weighted]
    # "deer" is singular only: one spelling must not have two meanings.
    return singular, [entry for entry in plural if entry[0] not in same]


def _plural(word: str) -> str:
    if "/" in word:
        return word.split("/")[1]
    return _with_s(word)


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")) or word in ("go", "echo"):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "ies"
    return word + "s"


def _fits(article: str) -> Callable[[list[Entry]], list[Entry]]:
    if article not in ("a", "an"):
        return lambda entries: entries
    vowel = article == "an"
    return lambda entries: [entry for entry in entries if (entry[0][0] in "aeiou") is vowel]


@cache
def _first_halves() -> list[Entry]:
    """Short things with a hyphen: the first halves of compounds, tagged "joined"."""
    lists = vocabulary()
    words = [word for name in lists if name.startswith("things") for word in lists[name]]
    return ranked([_base(word) + "-" for word in words if len(_base(word)) <= 4], "joined")


@cache
def joined_nouns(number: str, topic: str) -> Table:
    """The second halves of compounds, with the tags of `nouns`."""
    singular, plural = _noun_entries("thing", topic)
    if number == "either":
        return Table(blend((3, singular), (1, plural)))
    return Table(singular if number == "singular" else plural)


@cache
def bare_nouns(kind: str, topic: str) -> list[Entry]:
    """Nouns without a determiner: plurals and abstracts, perhaps with an adjective before."""
    singular, plural = _noun_entries(kind, topic)
    number = "singular" if kind == "abstract" else "plural"
    nouns = [(word, weight, ("done",)) for word, weight, _ in plural or singular]
    described = vocabulary()["adjectives"] + vocabulary()[f"adjectives {kind}s"]
    return blend((60, nouns), (40, ranked(described, ("described", kind, number))))


@cache
def determiners(kind: str) -> list[Entry]:
    """Words that begin a noun phrase, tagged ("noun phrase", kind, word)."""
    weights = {"the": 34, "my": 12, "your": 10, "this": 6, "his": 5, "her": 5, "our": 4, "no": 3}
    if kind == "abstract":
        weights |= {"such": 4, "all": 4}
    else:
        weights |= {"a": 16, "an": 3, "every": 3, "these": 3, "some": 3}
    return [(word, weight * 1000, ("phrase", kind, word)) for word, weight in weights.items()]


def _past(word: str) -> str:
    base, *irregular = word.split("/")
    if irregular:
        return irregular[0]
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ied"
    return base + "ed"


def _participle(word: str) -> str:
    return word.split("/")[-1] if "/" in word else _past(word)


def _classes(subject: str, nested: bool) -> list[tuple[int, str]]:
    """Shares of the verbs that a subject can have; a nested clause contains no other one."""
    if subject == "thing":
        return [(1, "matter")]
    return [(share, name) for name, share in VERBS if not (nested and name == "that")]


def _verbs(subject: str, nested: bool, form: Callable[[str], str]) -> list[Entry]:
    parts = []
    for share, name in _classes(subject, nested):
        words = [form(word) for word in vocabulary()[f"verbs {name}"]]
        parts.append((share, ranked(words, name)))
    return blend(*parts)


def _base(word: str) -> str:
    return word.split("/")[0]


@cache
def bare_verbs(subject: str, *, nested: bool, particles: bool) -> Table:
    """Infinitives, tagged with their objects; `particles`: also not, never and be."""
    parts = [(80, _verbs(subject, nested, _base))]
    if particles:
        parts += [(9, [("not", 1, "not")]), (4, [("never", 1, "not")]), (8, [("be", 1, "so")])]
    return Table(blend(*parts))


@cache
def participles(subject: str, *, nested: bool) -> Table:
    """Past participles, tagged with their objects."""
    return Table(_verbs(subject, nested, _participle))


@cache
def finite_verbs(agreement: str, subject: str, *, nested: bool) -> Table:
    """Verbs that follow a subject: present, past, modal, forms of to be and to have.

    agreement: "I", "base" (you, we, they, plurals) or "third" (he, she, it, singulars).
    """
    third = agreement == "third"
    present = _verbs(subject, nested, (lambda word: _with_s(_base(word))) if third else _base)
    past = _verbs(subject, nested, _past)
    modals = ranked(MODALS, "modal")
    is_, was = {"I": ("am", "was"), "base": ("are", "were"), "third": ("is", "was")}[agreement]
    have = "has" if third else "have"
    do = "does" if third else "do"
    parts = [
        (40, present),
        (18, past),
        (24, modals),
        (14, [(is_, 3, "be"), (was, 1, "be")]),
        (6, [(have, 1, "have")]),
        (4, [(do, 1, "do")]),
    ]
    if subject == "person":
        quote = _with_s if third else _base
        quoting = [quote(_base(word)) for word in vocabulary()["verbs quote"]]
        if not nested:
            parts.append((3, ranked(quoting, "quote")))
    return Table(blend(*parts))


@cache
def complements(temper: str, *, plural: bool, particles: bool) -> Table:
    """Words after "to be": adjectives, or persons in the singular; `particles`: also "not"."""
    lists = vocabulary()
    moods = lists["predicates"]
    # Every temper has six words of its own, which it uses much more often than the others do.
    place = lists["tempers"].index(temper)
    own = moods[place :: len(lists["tempers"])][:6]
    rest = [word for word in moods if word not in own]
    parts = [(30, ranked(own, "predicate")), (40, ranked(rest, "predicate"))]
    parts.append((6, [("as", 1, "as")]))
    if not plural:
        articles = [("a", 3, ("phrase", "person", "a")), ("the", 2, ("phrase", "person", "the"))]
        parts.append((10, articles))
    if particles:
        parts.append((9, [("not", 1, "so")]))
    return Table(blend(*parts))


@cache
def predicates() -> Table:
    """Adjectives of a comparison."""
    return Table(ranked(vocabulary()["predicates"], "predicate"))


@cache
def adverbs(temper: str) -> list[Entry]:
    """Adverbs, weighted by temper, tagged "adverb"."""
    lists = vocabulary()
    place = lists["tempers"].index(temper)
    own = lists["adverbs"][place :: len(lists["tempers"])][:5]
    rest = [word for word in lists["adverbs"] if word not in own]
    return blend((3, ranked(own, "adverb")), (4, ranked(rest, "adverb")))
