"""Beamline time: the clock, quantities that change with it, the event loop."""
