"""References: the rates that a slot with the laser on is compared with."""
