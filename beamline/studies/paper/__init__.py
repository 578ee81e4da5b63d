"""The numbers of the paper, recomputed: `trxas paper`."""
