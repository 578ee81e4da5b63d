"""Errors of the reduction."""


class ReductionError(ValueError):
    """A result cannot be computed from the data; the message names what is missing."""
