"""A service as a process, and the command line."""
