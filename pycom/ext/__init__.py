"""Helpers for services."""
