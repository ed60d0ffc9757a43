"""`pycom plugins new`: the beginning of a plugin, which works."""
