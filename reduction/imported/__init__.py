"""Reduction of files of other programs: their columns instead of the events of a run of ours."""
