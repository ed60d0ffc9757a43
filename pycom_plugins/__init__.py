"""The features of PyCOM. Each is a plugin like any other, found through its entry point."""

__pycom_library__ = True
