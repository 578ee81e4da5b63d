"""The plans that users call: energy, delay, fluence, background."""
