"""Pulls, coverage and silent errors of every reduced number, on measurements of a forward model of its own."""
