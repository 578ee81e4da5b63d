"""Presentation of stored runs: live figure, figures, export, report."""
