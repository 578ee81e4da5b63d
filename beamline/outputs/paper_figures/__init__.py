"""The figures of the paper from runs, in its layout."""
