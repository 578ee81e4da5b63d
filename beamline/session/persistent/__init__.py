"""State that outlives sessions: scan numbers, t0, calibration offset, and proposal, sample and users."""
