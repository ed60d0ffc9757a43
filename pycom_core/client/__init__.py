"""Finding and calling services."""
