"""A violated invariant."""

from __future__ import annotations


class ViolationError(AssertionError):
    """An invariant is violated."""


def require(condition: bool, sentence: str) -> None:
    """Raise a violation unless the condition holds."""
    if not condition:
        raise ViolationError(sentence)
