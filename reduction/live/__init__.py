"""The live callback and the result of a whole scan."""
