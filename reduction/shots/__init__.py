"""Reduction of single shots: blocks of hits or pulse heights in, exact sums by phase out."""
