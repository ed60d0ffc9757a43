"""Calls to services of the same host over a Unix socket, which is faster than loopback TCP."""
