"""Several detectors of one scan: their combination, and the chi-square of their agreement."""
