"""The command line, the IPython shell and its magics, the doctor, the queue server's start-up."""
