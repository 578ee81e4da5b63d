"""Energy scans: spectra, transients, their errors, and quantities derived from them."""
