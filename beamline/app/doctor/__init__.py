"""Checks a beamline before it is used: every record, clocks, disk, catalogue, display.

Nothing here puts to a record.
"""
