"""Kernels, statistics, spectra and kinetics on arrays."""
