"""Drift of the sample within a pass: measured by repeats, taken out of the rates, and carried in their errors."""
