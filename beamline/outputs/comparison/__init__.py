"""Two results side by side: spectra on one scale, their difference and shift, transients by shape."""
