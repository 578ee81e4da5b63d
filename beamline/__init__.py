"""The whole: configuration, session, journal, catalogue, figures, export and command line."""
