"""A service to try things on, and a demonstration of it."""
