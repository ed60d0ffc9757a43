"""The engine `sqlite:`: records and sessions in a file."""
