"""The first example of the documentation, as every new user types it."""

from __future__ import annotations

from pathlib import Path

import helpers

SERVICE = """\
import pycom

@pycom.interface("com.foo.example")
class MyService(pycom.Service):

    @pycom.method
    def bar(self, request, name, value=None):
        return {name : value}
"""

CLIENT = """\
import pycom

context = pycom.ProxyContext(nameserver="tcp://192.168.10.1:2012")
with context.locate("com.foo.example") as component:
    print(component.bar(name="field1", value=42))
    # Prints {"field1" : 42}
    print(component.bar("field1", value=42))
    # Prints {"field1" : 42}
    print(component.bar("field1"))
    # Prints {"field1" : None}
    print(component.introspect())
    # Prints a lot of introspection information
"""


def test_service_and_client(processes: helpers.Processes, tmp_path: Path) -> None:
    (tmp_path / "package1").mkdir()
    (tmp_path / "package1" / "module1.py").write_text(SERVICE)

    nameserver = processes.nameserver()
    service = processes.service("package1.module1", nameserver=nameserver, directory=tmp_path)
    code = CLIENT.replace("tcp://192.168.10.1:2012", nameserver.address)
    client = processes.python("-c", code, directory=tmp_path)

    assert client.wait() == 0, client.output
    *values, introspection = client.lines
    assert values == ["{'field1': 42}\n", "{'field1': 42}\n", "{'field1': None}\n"]
    assert "'required_arguments': ['name'], 'optional_arguments': ['value']" in introspection
    assert service.stop() == 0
    assert nameserver.stop() == 0


def test_with_the_flags_of_the_script(processes: helpers.Processes, tmp_path: Path) -> None:
    """The nameserver as a module, with names of services on the command line."""
    (tmp_path / "module1.py").write_text(SERVICE)
    nameserver = processes.service(
        "pycom.apps.nameserver", arguments=["-v", "-s", "/org/pycom/nameserver"]
    )
    service = processes.service(
        "module1", nameserver=nameserver, arguments=["-s", "/com/foo/one"], directory=tmp_path
    )
    assert service.name == "/com/foo/one"
    with helpers.Dealer(nameserver.address) as dealer:
        located = dealer.call("org.pycom.nameserver", "locate", {"interface": "com.foo.example"})
    assert located["result"] == {
        "address": service.address,
        "service": "/com/foo/one",
        "interfaces": ["com.foo.example"],
    }
