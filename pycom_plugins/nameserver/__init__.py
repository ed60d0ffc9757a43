"""The nameserver: its service, and where it keeps its records."""
