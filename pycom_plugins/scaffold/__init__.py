"""`pycom plugins new`: the skeleton of a working plugin."""
