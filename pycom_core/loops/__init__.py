"""Event loops, and waiting on them."""
