"""The devices of a beamline: building, connecting, soft limits, and the log of puts."""
