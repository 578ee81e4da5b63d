"""Scans of delay and fluence at one energy."""
