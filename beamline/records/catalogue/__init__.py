"""The catalogue, for reading: Tiled through databroker's client."""
