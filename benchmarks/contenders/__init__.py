"""What `compare.py` compares: one module each, of one shape.

Run as a program it is the server, which logs "listens on ADDRESS". Functions that take this address
are its clients; it has those that it can have:

    one(address)           a function that calls `bar` once
    threads(address)       a function that makes such a function for each thread; else it is `one`
    many(address)          measures `WINDOW` calls in flight: seconds to measure → seconds a call
    echo(address)          a function that sends bytes there and back

`DISTRIBUTIONS` are the names on PyPI of what it needs.
"""

ARGUMENTS = {"name": "field1", "value": 42}
RESULT = {"field1": 42}
#: Calls in flight at a time.
WINDOW = 64
