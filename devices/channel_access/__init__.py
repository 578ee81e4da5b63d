"""Low-overhead Channel Access: bulk gets, puts with completion, statuses without threads."""
