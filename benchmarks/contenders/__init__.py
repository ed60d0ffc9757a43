"""The contenders of `compare.py`: a module each, all of the same shape.

Run as a program, a module is the server, which logs "listens on ADDRESS". The functions that take
this address are its clients. A module has those of them that make sense for it:

    one(address)           a function that calls `bar` once
    threads(address)       a function that makes such a function for each thread; by default `one`
    many(address)          measures `WINDOW` calls in flight: seconds to measure → seconds a call
    echo(address)          a function that sends bytes there and back

`DISTRIBUTIONS` are the distributions that it needs, as PyPI names them.
"""

ARGUMENTS = {"name": "field1", "value": 42}
RESULT = {"field1": 42}
#: Calls in flight at a time.
WINDOW = 64
