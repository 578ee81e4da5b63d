"""Counts to photons a pulse, dwell by dwell, and their sums."""
