"""Finding, checking, ordering and describing plugins."""
