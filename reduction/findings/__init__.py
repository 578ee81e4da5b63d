"""Findings: what a beamline needs to know of itself before a scan. Arrays in; value, error, verdict and reason out."""
