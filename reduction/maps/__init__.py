"""Views of transients over energy and delay together: components, shapes, associated spectra."""
