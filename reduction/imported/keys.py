"""Keys of imported results that ours do not have."""

from __future__ import annotations

MAP_SLOTS, MAP_COVARIANCE = "map_slots", "map_slot_covariance"
"""Keys of the slots that have a covariance with each other where not all of them have, and of that covariance."""
