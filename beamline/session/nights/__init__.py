"""Nights from a table: its rows, what is wrong in them, what is done, and the plan of a row."""
