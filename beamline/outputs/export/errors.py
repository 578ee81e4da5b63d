"""What can go wrong when a file is written for others."""

from __future__ import annotations


class ExportError(Exception):
    """A result cannot be written in a format; the message names it and the way out."""
