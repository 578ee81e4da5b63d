"""The boxcar's chain, and how it compares with counting."""
