"""numba kernels over shots, each defined by a plain loop beside it."""
