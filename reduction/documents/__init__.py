"""Documents to arrays, and results to documents; data keys are spelt here only."""
