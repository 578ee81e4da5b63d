"""Stored runs from journal or catalogue: finding, listing, replaying."""
