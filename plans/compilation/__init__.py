"""Compiles scans before anything moves: grids, options, passes, estimates."""
