"""The boxcar chain, and its comparison with counting."""
