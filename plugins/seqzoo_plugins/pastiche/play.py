"""Plays: a title, a cast and fifteen scenes, with the choice of the next speaker and the songs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from seqzoo_plugins.pastiche import lexicon
from seqzoo_plugins.pastiche.sentence import Sentences
from seqzoo_plugins.pastiche.slots import Person
from seqzoo_plugins.pastiche.table import Entry, Table
from seqzoo_plugins.pastiche.verse import Script, fixed

__all__ = ["Play"]

NUMERALS = ("I", "II", "III", "IV", "V")
SCENES_PER_ACT = 3
CAST_SIZE = 9
FEWEST_SPEECHES = 6
_PLURAL = {"man": "men", "woman": "women"}


@cache
def _everybody() -> tuple[Person, ...]:
    """All persons of all plays, each with a fixed temper and oath."""
    lists = lexicon.vocabulary()
    adjectives = lists["adjectives things"]
    people = []
    named = [(name, sex) for sex in ("man", "woman") for name in lists[_PLURAL[sex]]]
    for place, (name, sex) in enumerate(named):
        things = lists[f"things {lists['topics'][place % len(lists['topics'])]}"]
        thing = things[place * 5 % len(things)].split("/")[0]
        oath = f"by the {adjectives[place * 7 % len(adjectives)]} {thing}"
        temper = lists["tempers"][place * 3 % len(lists["tempers"])]
        people.append(Person(name, sex, temper, oath))
    return tuple(people)


@lru_cache(1024)
def _choice(people: tuple[Person, ...]) -> Table:
    return Table((person.name, 1, person) for person in people)


@cache
def _title_words(kind: str) -> Table:
    lists = lexicon.vocabulary()
    words = lists["adjectives things"] if kind == "adjective" else lists["things"]
    return Table((word.split("/")[0].upper(), 1, word.split("/")[0]) for word in words)


@cache
def _trades(sex: str) -> Table:
    return Table(lexicon.ranked(lexicon.vocabulary()[f"trades {_PLURAL[sex]}"]))


@cache
def _places() -> Table:
    lists = lexicon.vocabulary()
    return Table(
        (place, 1, topic) for topic in lists["topics"] for place in lists[f"places {topic}"]
    )


@cache
def _entering(count: int) -> Table:
    """The text after a name in a stage direction with `count` names so far: two to five enter."""
    return Table([(", ", 5 - count, False), (" and ", count, True)])


@lru_cache(4096)
def _turns(
    speaker: Person | None,
    before: Person | None,
    called: Person | None,
    stage: tuple[Person, ...],
    late: bool,
) -> Table:
    """The next speaker, entry or exit: most often the person addressed or the one before."""
    entries: list[Entry] = []
    for person in stage:
        if person != speaker:
            weight = 200 * (12 if person == called else 5 if person == before else 1)
            entries.append((person.heading, weight * 30, ("speaks", person)))
            entries.append((person.heading + "[Sings.]\n", weight, ("sings", person)))
    total = sum(weight for _, weight, _ in entries)
    entries.append(("[Enter ", total // 30 if len(stage) < CAST_SIZE else 0, ("enters", None)))
    entries.append(("[Exit ", total // 30 if len(stage) > 2 else 0, ("leaves", None)))
    if late:
        entries.append(("ALL:\n", total // 16, ("ends", None)))
    return Table(entries)


@cache
def _rhymes(first: str = "") -> Table:
    """Words that have a rhyme, or the rhymes of the first word."""
    families = [family.split() for family in lexicon.vocabulary()["rhymes"]]
    if first:
        (family,) = (family for family in families if first in family)
        return Table((word, 1, word) for word in family if word != first)
    return Table((word, 1, word) for family in families for word in family)


@cache
def _couplet_prepositions() -> Table:
    return Table(lexicon.ranked(lexicon.vocabulary()["prepositions thing"]))


@cache
def _modals() -> Table:
    return Table(lexicon.ranked(lexicon.MODALS))


class Play(Sentences):
    """One play; `script` generates its text. Nothing depends on other plays."""

    def __init__(self) -> None:
        super().__init__()
        self._refrain = ""

    def script(self) -> Script:
        """Title, persons, five acts of three scenes."""
        yield fixed("THE ")
        table = _title_words("adjective")
        adjective = table.tags[(yield table)]
        yield fixed(" ")
        table = _title_words("noun")
        noun = table.tags[(yield table)]
        self._motif = f"the {adjective} {noun}"
        yield fixed("\n\nPERSONS OF THE PLAY\n\n")
        cast: list[Person] = []
        for _ in range(CAST_SIZE):
            cast.append((yield from self._pick(_everybody(), without=cast)))
            yield fixed(", ")
            yield _trades(cast[-1].sex)
            yield fixed("\n")
        self.cast = tuple(cast)
        for act in NUMERALS:
            for scene in NUMERALS[:SCENES_PER_ACT]:
                yield fixed(f"\n\nACT {act}. SCENE {scene}. ")
                yield from self._scene()

    def _pick(self, people: Iterable[Person], *, without: Iterable[Person] = ()) -> Script:
        """The name of one of the people; returns the person."""
        left = tuple(person for person in people if person not in without)
        return left[(yield _choice(left))]

    def _scene(self) -> Script:
        """A place, the persons who enter, and their speeches until a couplet ends the scene."""
        place = _places()
        self.topic = place.tags[(yield place)]
        yield fixed(".\n\n[Enter ")
        stage = [(yield from self._pick(self.cast))]
        last = False
        while not last:
            entering = _entering(len(stage))
            last = entering.tags[(yield entering)]
            stage.append((yield from self._pick(self.cast, without=stage)))
        yield fixed(".]\n\n")
        speaker: Person | None = None
        before: Person | None = None
        speeches = 0
        self.addressed = None
        while True:
            late = speeches >= FEWEST_SPEECHES
            turns = _turns(speaker, before, self.addressed, tuple(stage), late)
            what, person = turns.tags[(yield turns)]
            if what == "ends":
                break
            if what == "enters":
                stage.append((yield from self._pick(self.cast, without=stage)))
                yield fixed(".]\n\n")
            elif what == "leaves":
                stage.remove((yield from self._pick(stage)))
                yield fixed(".]\n\n")
            else:
                before, speaker = speaker, person
                self.speaker = person
                self.others = tuple(other for other in stage if other != person)
                speeches += 1
                yield from (self.speech() if what == "speaks" else self._song())
        yield from self._couplet()
        yield fixed("\n[Exeunt.]\n\n")

    def _song(self) -> Script:
        """A couplet and the refrain, which is chosen once and then repeated."""
        self.addressed = None
        yield from self._couplet()
        if not self._refrain:
            yield fixed(f"With hey, {self._motif}, and ho, the ")
            first = _rhymes()
            word = first.tags[(yield first)]
            self._refrain = f"With hey, {self._motif}, and ho, the {word}!\n\n"
            yield fixed("!\n\n")
        else:
            yield fixed(self._refrain)

    def _couplet(self) -> Script:
        """Two lines that rhyme, each a short sentence."""
        first = yield from self._rhymed("The ", "thing", _rhymes())
        yield fixed(",\n")
        yield from self._rhymed("And my ", "abstract", _rhymes(first))
        yield fixed(".\n")

    def _rhymed(self, opening: str, kind: str, rhymes: Table) -> Script:
        """A line of verse; returns its last word."""
        yield fixed(opening)
        nouns = lexicon.nouns(kind, "singular", self.topic, adjectives=False)
        if nouns.tags[(yield nouns)] == "joined":
            yield lexicon.joined_nouns("singular", self.topic)
        yield fixed(" ")
        yield _modals()
        yield fixed(" ")
        yield lexicon.bare_verbs("thing", nested=True, particles=False)
        yield fixed(" ")
        yield _couplet_prepositions()
        yield fixed(" the ")
        return rhymes.tags[(yield rhymes)]
