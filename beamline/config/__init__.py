"""What a configuration TOML may hold, the packaged configurations, and the data root that follows from one."""
