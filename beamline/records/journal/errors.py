"""Exceptions of the journal; each message names the problem and a remedy."""

from __future__ import annotations


class JournalError(Exception):
    """An operation of the journal failed; the message has the reason and a remedy."""


class UnwritableValueError(JournalError, TypeError):
    """A document has a value that cannot be written exactly."""


class DiskFullError(JournalError):
    """Too little free disk space for the journal, before or during a scan."""


class DamagedRecordError(JournalError, ValueError):
    """Bytes of a journal file are not what was written."""


class ForeignFileError(JournalError):
    """Something in the journal's folder has the name of a run but must not be read or written here."""
