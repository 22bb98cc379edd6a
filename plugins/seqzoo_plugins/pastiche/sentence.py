"""Sentences: subjects that agree with their verbs, verbs with their objects, and joined clauses.

Each method adds words to the text and returns what later words must agree with. Every choice can be
read from the words themselves.
"""

from __future__ import annotations

from typing import Any

from seqzoo_plugins.pastiche import lexicon, slots
from seqzoo_plugins.pastiche.slots import Person
from seqzoo_plugins.pastiche.table import Table
from seqzoo_plugins.pastiche.verse import Mark, Script, Verse, fixed

__all__ = ["Sentences"]

TAIL: Mark = ("", 36, "tail")
FULL_STOPS: tuple[Mark, ...] = (("!", 9, "end"), (".", 50, "end"))
JOINTS: tuple[Mark, ...] = ((",", 17, "joint"), (";", 6, "clause"))
QUESTION: tuple[Mark, ...] = (("?", 60, "end"),)
COMMA: tuple[Mark, ...] = ((",", 40, "on"),)
CRY: tuple[Mark, ...] = ((",", 3, "on"), ("!", 1, "cried"))
QUOTED: tuple[Mark, ...] = (('."', 3, "end"), ('!"', 2, "end"))
ENDS = (1, 3, 4, 5, 7, 9, 11)
"""Probability that a speech ends after its first, second, ... sentence, in sixteenths."""


class Sentences(Verse):
    """The sentences of a speaker, given the listeners, the last named person and the topic."""

    topic: str
    speaker: Person
    others: tuple[Person, ...]
    cast: tuple[Person, ...]

    def __init__(self) -> None:
        super().__init__()
        self.addressed: Person | None = None
        self.last_sex = ""

    def speech(self) -> Script:
        """Sentences until the speech is over."""
        self.addressed = None
        sentences = 0
        while True:
            ends = ENDS[min(sentences, len(ENDS) - 1)]
            if (yield from self._sentence(ends)) == "over":
                return
            sentences += 1

    def _sentence(self, ends: int) -> Script:
        """One sentence with its full stop; returns "over" if the speech ends with it."""
        self.begins = True
        table = slots.openers(self.speaker, self.last_sex, self.others)
        kind, *rest = yield from self.say(table)
        marks = (*FULL_STOPS, *JOINTS)
        if kind in ("pronoun", "phrase"):
            agreement, subject, word = yield from self._subject_rest((kind, *rest), "any")
            yield from self.gap()
            marks = yield from self._predicate(agreement, subject, word, marks)
        elif kind in ("call", "oath", "cry", "address"):
            yield from self._exclaim(kind, rest)
            marks = yield from self._clause(marks)
        elif kind == "condition":
            yield from self.gap()
            yield from self._clause((), nested=True)
            yield from self._close(COMMA, ends, tails=1)
            marks = yield from self._clause(marks)
        elif kind == "imperative":
            yield from self.gap()
            yield from self.word("me")
            yield from self.gap()
            yield from self._object("thing", "")
        elif kind == "let":
            yield from self.next(slots.let())
            tag = yield from self.next(lexicon.bare_verbs("person", nested=True, particles=False))
            yield from self._complete(tag, "plural", "person", "", nested=True)
        elif kind == "apostrophe":
            yield from self._noun("any", "", "singular")
            marks = (("!", 1, "end"),)
        else:
            yield from self._question(kind, *rest)
            marks = QUESTION
        return (yield from self._close(marks, ends))

    def _exclaim(self, kind: str, rest: list[Person]) -> Script:
        """The words before the first clause: a name, an oath, a cry."""
        marks = COMMA
        if kind == "cry":
            marks = CRY
        elif kind == "oath":
            yield from self._oath()
        elif kind == "address":
            self.addressed = yield from self.next(slots.names(self.others))
        else:
            (self.addressed,) = rest
        if (yield from self.stop(marks)) == "cried":
            self.begins = True

    def _oath(self) -> Script:
        for word in self.speaker.oath.split()[1:]:
            yield from self.gap()
            yield from self.word(word)

    def _question(self, kind: str, word: str = "") -> Script:
        """The rest of a question, up to its mark."""
        if kind == "ask":
            kind, word = yield from self.next(slots.auxiliaries())
        if kind == "who":
            yield from self.gap()
            yield from self._predicate("third", "person", "", (), nested=True)
        elif kind == "be":
            agreement = "third" if word in ("is", "was") else "plural"
            agreement, _, _ = yield from self._subject(agreement)
            tag = yield from self.next(self._complements(agreement, particles=True))
            yield from self._complete(tag, agreement, "person", "", nested=True)
        else:
            modal = word in lexicon.MODALS  # "can she be", but never "does she be"
            agreement, subject, word = yield from self._subject(slots.AUXILIARIES[word])
            table = lexicon.bare_verbs(slots.verb_subject(subject), nested=True, particles=modal)
            tag = yield from self.next(table)
            yield from self._complete(tag, agreement, subject, word, nested=True)

    def _clause(self, marks: tuple[Mark, ...], *, nested: bool = False) -> Script:
        """A subject and its predicate; returns the marks that may follow."""
        tag = yield from self.say(slots.subjects("any", self.last_sex, self.cast))
        agreement, subject, word = yield from self._subject_rest(tag, "any")
        yield from self.gap()
        return (yield from self._predicate(agreement, subject, word, marks, nested=nested))

    def _subject(self, agreement: str) -> Script:
        """A gap and a subject of that agreement: (agreement, kind, pronoun)."""
        tag = yield from self.next(slots.subjects(agreement, self.last_sex, self.cast))
        return (yield from self._subject_rest(tag, agreement))

    def _subject_rest(self, tag: tuple[Any, ...], agreement: str) -> Script:
        match tag:
            case ("pronoun", agrees, word):
                return agrees, "person", word
            case ("name", person):
                self.last_sex = person.sex
                return "third", "person", ""
            case (_, kind, determiner):
                number = {"third": "singular", "any": "either"}.get(agreement, "plural")
                kind, number = yield from self._noun(kind, determiner, number)
                return ("third" if number == "singular" else "plural"), kind, ""

    def _noun(self, kind: str, determiner: str, number: str) -> Script:
        """A noun after a determiner, perhaps with an adjective: (kind, number)."""
        number = lexicon.DETERMINED.get(determiner, number)
        article = determiner if determiner in ("a", "an") else ""
        tag = yield from self.next(
            lexicon.nouns(kind, number, self.topic, adjectives=True, article=article)
        )
        if tag == "adjective":
            tag = yield from self.next(lexicon.nouns(kind, number, self.topic, adjectives=False))
        if tag == "joined":
            tag = yield from self.say(lexicon.joined_nouns(number, self.topic))
        return tag

    def _predicate(
        self,
        agreement: str,
        subject: str,
        word: str,
        marks: tuple[Mark, ...],
        *,
        nested: bool = False,
    ) -> Script:
        """A finite verb with its objects; returns the marks that may follow."""
        person = "I" if word == "I" else "base" if agreement == "plural" else agreement
        table = lexicon.finite_verbs(person, slots.verb_subject(subject), nested=nested)
        tag = yield from self.say(table)
        if tag == "quote":
            yield from self.stop(COMMA)
            yield from self.say(fixed('"'))
            self.begins = True
            yield from self._clause((), nested=True)
            return QUOTED
        yield from self._complete(tag, agreement, subject, word, nested=nested)
        return marks

    def _complete(
        self, tag: Any, agreement: str, subject: str, word: str, *, nested: bool
    ) -> Script:
        """The words that must follow a verb, an auxiliary or a particle."""
        verbs = slots.verb_subject(subject)
        match tag:
            case "thing" | "person" | "abstract":
                yield from self.gap()
                yield from self._object(tag, word)
                return
            case "that":
                yield from self.gap()
                yield from self.word("that")
                yield from self.gap()
                yield from self._clause((), nested=True)
                return
            case "as":
                yield from self.next(lexicon.predicates())
                yield from self.gap()
                yield from self.word("as the")
                yield from self._noun("thing", "the", "singular")
                return
            case ("phrase", kind, determiner):
                yield from self._noun(kind, determiner, "singular")
                return
            case "modal":
                table = lexicon.bare_verbs(verbs, nested=nested, particles=True)
            case "not":
                table = lexicon.bare_verbs(verbs, nested=nested, particles=False)
            case "do":
                yield from self.gap()
                yield from self.word("not")
                table = lexicon.bare_verbs(verbs, nested=nested, particles=False)
            case "have":
                table = lexicon.participles(verbs, nested=nested)
            case "be":
                table = self._complements(agreement, particles=True)
            case "so":
                table = self._complements(agreement, particles=False)
            case _:
                return  # an intransitive verb or an adjective needs no more words
        tag = yield from self.next(table)
        yield from self._complete(tag, agreement, subject, word, nested=nested)

    def _complements(self, agreement: str, *, particles: bool) -> Table:
        plural = agreement == "plural"
        return lexicon.complements(self.speaker.temper, plural=plural, particles=particles)

    def _object(self, kind: str, subject_word: str) -> Script:
        """An object of that kind; a pronoun never repeats the subject."""
        if kind == "person":
            table = slots.objects(kind, slots.OBLIQUE.get(subject_word, ""), self.cast, "")
        else:
            table = slots.objects(kind, "", (), self.topic if kind == "thing" else "")
        match (yield from self.say(table)):
            case ("phrase", kind, determiner):
                yield from self._noun(kind, determiner, "either")
            case ("described", kind, number):
                table = lexicon.nouns(kind, number, self.topic, adjectives=False)
                if (yield from self.next(table)) == "joined":
                    yield from self.say(lexicon.joined_nouns(number, self.topic))
            case ("name", person):
                self.last_sex = person.sex

    def _close(self, marks: tuple[Mark, ...], ends: int, *, tails: int = 2) -> Script:
        """Tails, further clauses and the last mark; returns what follows the mark."""
        joints = 2
        while True:
            leads_to = yield from self.stop((TAIL, *marks) if tails else marks, ends=ends)
            if leads_to == "tail":
                tails -= 1
                kind = yield from self.say(slots.tails(self.speaker.temper))
                if kind != "adverb":
                    yield from self.gap()
                    yield from self._object(kind, "")
                continue
            if leads_to not in ("joint", "clause"):
                return leads_to
            joints -= 1
            kind = "clause"
            if leads_to == "joint":
                kind, *rest = yield from self.say(slots.joints(self.speaker.temper, self.others))
                if kind == "clause":
                    yield from self.gap()
            if kind == "clause":
                yield from self._clause((), nested=True)
            elif kind == "oath":
                yield from self._oath()
            else:
                (self.addressed,) = rest
            if kind != "clause" or not joints:
                marks, tails = FULL_STOPS, 0
