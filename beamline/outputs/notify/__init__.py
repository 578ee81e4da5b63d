"""Messages to those who are away: a process that reads the journal, and reports changes of state once."""
