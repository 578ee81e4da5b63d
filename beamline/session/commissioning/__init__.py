"""Findings in a session: plans bound to its devices and to the reduction, and the latest of each."""
