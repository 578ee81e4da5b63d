"""Files of other programs as runs in the journal: one reader a kind of file, one place that writes the run.

A reader (`readers`) turns the content of a file into tables of named columns (`table`); `measured` finds axis, signals
and errors in one; `run` writes it.
"""
