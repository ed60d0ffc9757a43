"""Nameservers: asking them, remembering their answers, registering with them."""
