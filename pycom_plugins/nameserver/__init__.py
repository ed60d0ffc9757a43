"""The nameserver: its service, and the store of its records."""
