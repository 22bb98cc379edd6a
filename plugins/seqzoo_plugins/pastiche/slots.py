"""The choices for each slot of a sentence, given the speaker, the listeners and the topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache

from seqzoo_plugins.pastiche import lexicon
from seqzoo_plugins.pastiche.table import Entry, Table, blend

__all__ = [
    "AUXILIARIES",
    "OBLIQUE",
    "Person",
    "auxiliaries",
    "joints",
    "let",
    "names",
    "objects",
    "openers",
    "subjects",
    "tails",
    "verb_subject",
]


@dataclass(frozen=True)
class Person:
    """A character; temper and oath belong to the name, in every play."""

    name: str
    sex: str
    temper: str
    oath: str
    heading: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "heading", self.name.upper() + ":\n")


PRONOUNS = {
    "I": ("base", 14),
    "you": ("base", 9),
    "we": ("plural", 5),
    "they": ("plural", 3),
    "he": ("third", 3),
    "she": ("third", 3),
}
OBLIQUE = {"I": "me", "you": "you", "we": "us", "they": "them", "he": "him"}
AUXILIARIES = {
    "do": "base",
    "does": "third",
    "did": "any",
    "will": "any",
    "shall": "any",
    "must": "any",
    "can": "any",
}


def _pronouns(agreement: str, last_sex: str) -> list[Entry]:
    """Pronouns that can be subjects; the one for the last named person is more likely."""
    meant = {"man": "he", "woman": "she"}.get(last_sex)
    return [
        (word, weight * (5 if word == meant else 1), ("pronoun", agrees, word))
        for word, (agrees, weight) in PRONOUNS.items()
        if agreement in ("any", agrees) or (agreement == "base" and agrees != "third")
    ]


def _subject_phrases(agreement: str) -> list[Entry]:
    """Determiners of subjects: those of plurals for "base" and "plural", the others for "third"."""
    return [
        entry
        for entry in lexicon.determiners("any")
        if agreement == "any" or (entry[0] in ("these", "some")) == (agreement != "third")
    ]


@lru_cache(256)
def subjects(agreement: str, last_sex: str, cast: tuple[Person, ...]) -> Table:
    parts = [(40, _pronouns(agreement, last_sex)), (40, _subject_phrases(agreement))]
    if agreement in ("any", "third"):
        parts.append((7, [(person.name, 1, ("name", person)) for person in cast]))
    return Table(blend(*parts))


@cache
def _own_openers(temper: str, last_sex: str) -> list[Entry]:
    lists = lexicon.vocabulary()
    cries = [word.lower() for word in lists[f"cries {temper}"]]
    ask = [(word, 1000, ("ask", word)) for word in ("why", "how", "where")]
    auxiliaries = [(word, 1000, ("auxiliary", word)) for word in AUXILIARIES]
    forms = [(word, 1000, ("be", word)) for word in ("is", "are", "was", "were")]
    conditions = lexicon.ranked(["if", "when", "though", "while", "because"], ("condition",))
    return blend(
        (32, _pronouns("any", last_sex)),
        (26, _subject_phrases("any")),
        (9, lexicon.ranked(cries, ("cry",))),
        (8, ask),
        (7, auxiliaries),
        (3, forms),
        (2, [("who", 1, ("who",))]),
        (6, conditions),
        (4, lexicon.ranked(lists["imperatives thing"], ("imperative",))),
        (3, [("let", 1, ("let",))]),
        (2, [("O", 1, ("apostrophe",))]),
        (2, [("good", 2, ("address",)), ("noble", 1, ("address",)), ("gentle", 1, ("address",))]),
    )


@lru_cache(512)
def openers(speaker: Person, last_sex: str, others: tuple[Person, ...]) -> Table:
    names = [(person.name, 1, ("call", person)) for person in others]
    return Table(
        blend(
            (94, _own_openers(speaker.temper, last_sex)),
            (7, names),
            (4, [("by", 1, ("oath",))]),
        )
    )


@lru_cache(64)
def names(people: tuple[Person, ...]) -> Table:
    return Table((person.name, 1, person) for person in people)


@lru_cache(512)
def joints(temper: str, others: tuple[Person, ...]) -> Table:
    conjunctions = lexicon.ranked(["and", "but", "for", "so", "yet", "or"], ("clause",))
    called = [(person.name, 1, ("call", person)) for person in others]
    return Table(blend((70, conjunctions), (9, called), (7, [("by", 1, ("oath",))])))


@lru_cache(128)
def objects(kind: str, excluded: str, cast: tuple[Person, ...], topic: str) -> Table:
    """First words of an object; only persons depend on the cast, and only things on the topic."""
    parts = [(60, lexicon.determiners(kind)), (50, lexicon.bare_nouns(kind, topic))]
    if kind == "person":
        pronouns = ["me", "you", "him", "them", "us"]
        left = [word for word in pronouns if word != excluded]
        parts.append((32, lexicon.ranked(left, ("done",))))
        parts.append((12, [(person.name, 1, ("name", person)) for person in cast]))
    return Table(blend(*parts))


@cache
def let() -> Table:
    return Table(lexicon.ranked(["us", "him", "her", "them"]))


@cache
def auxiliaries() -> Table:
    auxiliaries = [(word, 3, ("auxiliary", word)) for word in AUXILIARIES]
    return Table(auxiliaries + [(word, 2, ("be", word)) for word in ("is", "are", "was", "were")])


def verb_subject(kind: str) -> str:
    return "person" if kind == "person" else "thing"


@cache
def tails(temper: str) -> Table:
    lists = lexicon.vocabulary()
    parts = [(30, lexicon.adverbs(temper))]
    for kind, share in lexicon.PREPOSITIONS.items():
        parts.append((share * 10, lexicon.ranked(lists[f"prepositions {kind}"], kind)))
    return Table(blend(*parts))
