"""Services that come with PyCOM, as modules that can be run."""
