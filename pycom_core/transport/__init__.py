"""Carrying messages between addresses."""
