"""The truth of a simulated experiment, read from TOML."""
