"""Reduction of single shots: blocks of hits or pulse heights to exact sums by phase."""
