"""The simulated instruments: their records and what they do."""
