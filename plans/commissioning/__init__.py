"""Findings of what a beamline needs before a scan: each a plan that measures, shows or sets, and confirms."""
