"""A shift's summary as one HTML file: runs, figures, numbers, faults, settings, versions."""
