"""Computed spectra beside measured ones: average, lifetime broadening, rigid shift, and the fit of a transient."""
