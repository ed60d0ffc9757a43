"""The engine `memory:`: records and sessions within the process."""
