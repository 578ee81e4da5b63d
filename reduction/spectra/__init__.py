"""Energy scans: spectra, transients, their errors, and numbers derived from them."""
