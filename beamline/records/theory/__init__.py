"""Computed spectra in files, and the TOML that names them."""
