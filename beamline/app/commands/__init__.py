"""The subcommands of `trxas`, one file per group."""
