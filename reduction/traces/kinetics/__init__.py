"""Decay of the transient: the model and its global fit."""
