"""What is stored: the journal, the catalogue and its writer, runs read back, the digitiser's files."""
