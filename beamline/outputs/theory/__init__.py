"""Computed spectra beside a result: static spectra on one scale, and models fitted to a transient."""
