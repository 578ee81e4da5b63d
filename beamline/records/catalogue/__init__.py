"""Read access to the catalogue: Tiled through databroker's client."""
