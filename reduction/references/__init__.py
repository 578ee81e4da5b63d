"""What a slot with the laser on is compared with."""
