"""Results at several temperatures: aligned spectra, differences, comparison parameter."""
