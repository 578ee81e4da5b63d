"""The whole campaign of the paper, rehearsed on the simulated stations."""
