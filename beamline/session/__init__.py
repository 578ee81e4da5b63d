"""One session: devices connected, RunEngine, journal, live reduction, scans, persistent state."""
