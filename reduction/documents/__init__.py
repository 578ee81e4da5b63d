"""Documents to arrays, and results to documents: the only place with data keys."""
