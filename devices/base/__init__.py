"""What instruments are made of: signals, settings, completion, limits, counting, heartbeat."""
