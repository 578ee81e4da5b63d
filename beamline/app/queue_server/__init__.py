"""What bluesky-queueserver needs to run the plans of a session from a queue."""
