"""The documents of the logbook: notes, and corrections of start documents."""

from __future__ import annotations

import getpass
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from beamline.formatting import printable, when
from plans.compilation.metadata import RESERVED, MetadataError, check_metadata

LONGEST_NOTE, LONGEST_ENTRY = 4000, 200
"""Most characters of a note, and of a name, tag or corrected entry."""
ABOUT = frozenset({"sample", "proposal", "users"})
"""Entries that the session writes and a user may correct; those that users add themselves are theirs anyway."""
_HASHTAG = re.compile(r"(?<!\S)#([A-Za-z][\w-]*)")
_TAG = re.compile(r"[A-Za-z][\w-]*")


class LogbookError(ValueError):
    """A note or correction is refused; the message names what is wrong and a remedy."""


@dataclass(frozen=True)
class Note:
    """A note.

    Attributes
    ----------
    uid : str
    time : float
        When it was written, seconds since 1970.
    who : str
    text : str
    tags : tuple of str
        In small letters.
    run : str
        Uid of the raw run that it belongs to; empty between runs.
    dwell : int
        Dwells that this run had when the note was written.
    """

    uid: str
    time: float
    who: str
    text: str
    tags: tuple[str, ...] = ()
    run: str = ""
    dwell: int = 0

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def matches(self, words: str = "", tag: str = "") -> bool:
        """Whether all words are in text, name or tags, and the tag is one of its tags; capitals do not matter."""
        content = self.searched().lower()
        has_tag = not tag or tag.lower().removeprefix("#") in self.tags
        return has_tag and all(word in content for word in words.lower().split())

    def searched(self) -> str:
        """What a search for words looks into: text, name and tags."""
        return " ".join((self.text, self.who, *(f"#{each}" for each in self.tags)))

    def tagged_text(self) -> str:
        """The text, and the tags that are not in it."""
        more = [f"#{tag}" for tag in self.tags if f"#{tag}" not in self.text.lower()]
        return " ".join([self.text, *more])

    def __str__(self) -> str:
        where = f"at run {self.run[:8]}, dwell {self.dwell}" if self.run else "between runs"
        return f"{when(self.time)} {self.who}, {where}: {self.tagged_text()}"


@dataclass(frozen=True)
class Correction:
    """Entries of the start document of a raw run, as they should have been.

    Attributes
    ----------
    uid : str
    time : float
        When it was made, seconds since 1970.
    who : str
    run : str
        Uid of the raw run; its results follow.
    entries : mapping
    reason : str
    """

    uid: str
    time: float
    who: str
    run: str
    entries: Mapping[str, Any]
    reason: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def note_of(doc: Mapping[str, Any]) -> Note:
    """The note of a document."""
    tags = tuple(map(str, doc.get("tags") or ()))
    run, dwell = str(doc.get("run") or ""), doc.get("dwell")
    return Note(doc["uid"], doc["time"], doc["who"], doc["text"], tags, run, dwell if isinstance(dwell, int) else 0)


def correction_of(doc: Mapping[str, Any]) -> Correction:
    """The correction of a document."""
    who, reason = str(doc.get("who", "")), str(doc.get("reason", ""))
    return Correction(doc["uid"], doc["time"], who, doc["run"], dict(doc["entries"]), reason)


def new_note(text: str, *, tags: Iterable[str] = (), who: str = "", run: str = "", dwell: int = 0) -> Note:
    """A note of now. Words of the text like ``#jet`` are tags, too.

    Raises
    ------
    LogbookError
        If it is empty or too long, or a tag is no word.
    """
    if not isinstance(text, str):
        raise LogbookError(f'a note is a text, note("jet unstable #jet"), not {text!r}')
    text = "\n".join(printable(line).rstrip() for line in text.splitlines()).strip()
    if not text:
        raise LogbookError('the note is empty; write what you saw, for example note("jet unstable #jet")')
    if len(text) > LONGEST_NOTE:
        raise LogbookError(f"a note may have {LONGEST_NOTE} characters, not {len(text)}")
    given = [tags] if isinstance(tags, str) else list(tags)
    return Note(str(uuid.uuid4()), time.time(), _checked_who(who), text, _checked_tags(text, given), run, dwell)


def new_correction(run: str, entries: Mapping[str, Any], *, who: str = "", reason: str = "") -> Correction:
    """A correction of now.

    Raises
    ------
    LogbookError
        Naming entries that cannot be corrected, or texts that are too long.
    """
    try:
        check_metadata(entries, RESERVED - ABOUT)
    except MetadataError as error:
        corrected = f"{', '.join(sorted(ABOUT))} and entries of your own can be corrected"
        raise LogbookError(f"{str(error).replace('; choose other names', '')}; {corrected}") from error
    checked = {key: _checked_value(key, value) for key, value in entries.items()}
    if not checked:
        raise LogbookError('nothing to correct; give an entry, for example sample="CsPbBr3"')
    return Correction(str(uuid.uuid4()), time.time(), _checked_who(who), run, checked, _short("the reason", reason))


def _checked_value(key: str, value: Any) -> Any:
    if key == "users":
        names = value.split(",") if isinstance(value, str) else list(value)
        return [name for each in names if (name := _short("a user", each))]
    return _short(key, value) if isinstance(value, str) else value


def _checked_tags(text: str, given: Iterable[str]) -> tuple[str, ...]:
    found = _HASHTAG.findall(text)
    for each in given:
        tag = str(each).removeprefix("#")
        if not _TAG.fullmatch(tag) or len(tag) > LONGEST_ENTRY:
            raise LogbookError(f"{each!r} is no tag; use letters, digits, '-' and '_', for example jet")
        found.append(tag)
    return tuple(dict.fromkeys(tag.lower() for tag in found))


def _checked_who(who: str) -> str:
    return _short("the name", who) or getpass.getuser()


def _short(what: str, text: Any) -> str:
    """A text without control characters, of limited length."""
    found = printable(text).strip()
    if len(found) > LONGEST_ENTRY:
        raise LogbookError(f"{what} may have {LONGEST_ENTRY} characters, not {len(found)}")
    return found
