"""Configuration TOML: its entries, the packaged configurations, and the resulting data root."""
