"""Simulated campaigns whose time follows the predicted error: bias, coverage, and time against the even grid."""
