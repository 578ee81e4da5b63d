"""Shots of the digitiser: its files read, its blocks reduced live and afterwards."""
