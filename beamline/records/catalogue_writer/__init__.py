"""Copies the journal into the catalogue, as a separate process."""
