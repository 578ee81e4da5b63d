"""ophyd classes of the instruments. They know PV suffixes, never a prefix, and hold no state."""
