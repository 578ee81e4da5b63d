"""Carries the journal into the catalogue, as a process of its own."""
