"""Start-up code with which bluesky-queueserver runs the plans of a session."""
