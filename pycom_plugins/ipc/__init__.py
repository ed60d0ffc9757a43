"""Services of the same host: reached over a Unix socket, which costs less than loopback TCP."""
