"""Shots of the digitiser: reading of its files, live and later reduction of its blocks."""
