import sys

import pycom

context = pycom.ProxyContext(nameserver=sys.argv[1])
with context.locate("com.foo.example") as component:
    print(component.bar(name="field1", value=42))
    # Prints {"field1": 42}
    print(component.bar("field1", value=42))
    # Prints {"field1": 42}
    print(component.bar("field1"))
    # Prints {"field1": None}
    print(component.introspect())
    # Prints a lot of introspection information
