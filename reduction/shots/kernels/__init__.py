"""numba kernels over shots, each with a plain loop that defines it."""
