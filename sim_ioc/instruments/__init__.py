"""The simulated instruments: their records and behaviour."""
