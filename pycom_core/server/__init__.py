"""Answering calls: the pipeline, servers and interfaces."""
