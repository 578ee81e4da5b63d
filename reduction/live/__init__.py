"""The live reduction as a RunEngine callback, and the result of a whole scan."""
