"""Bytes in, objects out: codec, framing and commands; no socket, no clock."""
