"""Records the digitiser's shots during a session's scans and reduces them live."""
