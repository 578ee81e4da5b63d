"""What a beamline remembers between sessions: scan numbers, t0, and who measures what."""
