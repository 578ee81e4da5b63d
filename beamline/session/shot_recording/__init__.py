"""Recording of the digitiser's shots during scans, and their live reduction."""
