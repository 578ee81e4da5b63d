"""Delay and fluence scans at one energy."""
