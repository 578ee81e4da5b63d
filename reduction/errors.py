"""Errors of the reduction."""


class ReductionError(ValueError):
    """A result cannot be computed from the data; the message names what is missing."""


class DocumentError(ValueError):
    """A document lacks an entry that the reduction needs, or holds an invalid one; the message names it."""
