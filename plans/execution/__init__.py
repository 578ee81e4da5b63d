"""Executes compiled scans: runs, points, dwells, retakes."""
