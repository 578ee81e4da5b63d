"""Diffraction patterns of images: peaks in words, patterns as a table and as a figure."""
