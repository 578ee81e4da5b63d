"""Runs read back from journal or catalogue: finding, listing, reducing again."""
