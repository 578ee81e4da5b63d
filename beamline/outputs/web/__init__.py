"""The page of a shift: a process that follows the journal and serves it to browsers, read-only but for notes."""
