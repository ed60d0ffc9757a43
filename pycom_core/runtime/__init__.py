"""Settings, plugins and transports of one process, put together."""
