"""Expected rates and transients from forecast files."""
