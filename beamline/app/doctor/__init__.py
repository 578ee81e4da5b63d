"""Looks a beamline over before anybody measures with it: every record, its clock, disk, catalogue, display.

Nothing here puts to a record.
"""
