"""Where the next second of beam goes: quantities with a wanted error, their predicted errors, the best shares."""
