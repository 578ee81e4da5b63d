"""The live figure: a process of its own that reads the journal."""
