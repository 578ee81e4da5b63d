"""Errors of the export."""

from __future__ import annotations


class ExportError(Exception):
    """A result cannot be exported to a format; the message names it and an alternative."""
