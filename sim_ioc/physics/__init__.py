"""The forward model: from the scenario to photons, hits and heights."""
