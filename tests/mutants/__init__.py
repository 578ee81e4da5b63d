"""Single-token changes of the sources, and whether the tests of their room notice."""
