"""What can go wrong with the journal, as exceptions that each name the thing and the way out."""

from __future__ import annotations


class JournalError(Exception):
    """The journal cannot do what it was asked; the message says why and what helps."""


class UnwritableValueError(JournalError, TypeError):
    """A document holds a value that cannot be written exactly."""


class DiskFullError(JournalError):
    """There is too little room for the journal, before or during a scan."""


class DamagedRecordError(JournalError, ValueError):
    """Bytes in a journal file are not what was written."""


class ForeignFileError(JournalError):
    """Something in the journal's folder is called like a run and is none that may be read or written here."""
