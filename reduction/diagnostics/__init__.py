"""Diagnostics of a result, and what is excluded from it."""
