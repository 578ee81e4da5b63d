"""Spectra at several temperatures: alignment, Varshni shift, differences to the coldest, comparison parameter."""
