"""Storage: the journal, the catalogue and its writer, reading of stored runs, the digitiser's files."""
