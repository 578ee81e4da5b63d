"""What is true in a simulated experiment, read from TOML."""
