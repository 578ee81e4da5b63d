"""What stands beside a result so that it can be believed, and what is left out of it."""
