"""Powder diffraction beside the spectra: patterns from images, peaks and their splitting."""
