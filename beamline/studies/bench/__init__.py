"""Benchmarks of the shot kernels against memory and against other programs, printed by `trxas bench`."""
