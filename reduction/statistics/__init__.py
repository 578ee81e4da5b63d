"""Quantiles, p-values, means of repeats."""
