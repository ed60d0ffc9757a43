"""A network of keys: its files, and the commands that write them."""
