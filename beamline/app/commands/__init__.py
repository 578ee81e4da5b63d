"""The sub-commands of `trxas`, a file for each kind."""
