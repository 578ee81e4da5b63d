"""Benchmarks of the shot kernels against memory bandwidth and other libraries, printed by `trxas bench`."""
