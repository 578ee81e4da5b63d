"""Pulls of the numbers of a temperature series, on measurements of a forward model of its own."""
