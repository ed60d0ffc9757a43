"""Services that listen on all addresses of a host: the address that they register and log."""

from __future__ import annotations

import sys

import helpers
import pytest

import pycom
from pycom_core import Runtime
from pycom_core.process._advertising import advertised

FAR = "tcp://far.example:80"


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "*", "[::]"])
def test_nameserver_on_all_addresses_and_what_runs_beside_it(
    wildcard: str, processes: helpers.Processes, runtime: Runtime
) -> None:
    nameserver = processes.nameserver(
        "life_services", address=f"tcp://{wildcard}:*", PYCOM_IPC="false"
    )
    bound = nameserver.address
    assert bound.startswith("tcp://[::]:" if wildcard == "[::]" else "tcp://0.0.0.0:")
    expected = advertised(bound, "local")
    nameserver.wait_for(f"Others reach it at {expected}")
    port = bound.rpartition(":")[2]
    context = pycom.Context(f"tcp://127.0.0.1:{port}", runtime=runtime)
    with helpers.eventually(lambda: context.locate("test.life")) as component:
        assert component.address == expected
        assert component.invoke("echo", {"value": 1}) == 1


def test_service_is_registered_as_each_of_its_nameservers_sees_it(
    processes: helpers.Processes, runtime: Runtime
) -> None:
    replicas = [processes.nameserver(address=f"tcp://{host}:*") for host in ("127.0.0.1", "[::1]")]
    flags = [flag for replica in replicas for flag in ("-n", replica.address)]
    service = processes.service(
        "life_services", address="tcp://[::]:*", arguments=flags, PYCOM_IPC="false"
    )
    port = service.address.rpartition(":")[2]
    for replica, host in zip(replicas, ("127.0.0.1", "[::1]"), strict=True):
        replica.wait_for(f"Registered {service.name} at")
        context = pycom.Context(replica.address, runtime=runtime)
        with context.locate("test.life") as component:
            assert component.address == f"tcp://{host}:{port}"
            assert component.invoke("echo", {"value": 1}) == 1
    service.wait_for(rf"Others reach it at tcp://127.0.0.1:{port}, tcp://\[::1\]:{port}")
    assert service.stop() == 0
    for replica in replicas:
        with pytest.raises(pycom.ServiceNotFound):
            pycom.Context(replica.address, runtime=runtime).locate("test.life")


def test_advertised_address_is_registered(
    processes: helpers.Processes, nameserver: helpers.Service, runtime: Runtime
) -> None:
    service = processes.service(
        "life_services", nameserver=nameserver, PYCOM_IPC="false", PYCOM_ADVERTISE=FAR
    )
    service.wait_for(f"Others reach it at {FAR}")
    context = pycom.Context(nameserver.address, runtime=runtime)
    assert context.locate("test.life").address == FAR
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("address", "advertise", "says"),
    [
        ("tcp://127.0.0.1:-1", None, "Invalid address 'tcp://127.0.0.1:-1': a port is a number"),
        (helpers.ANY_PORT, "tcp://0.0.0.0:80", "advertise is 'tcp://0.0.0.0:80', which others"),
    ],
)
def test_nonsense_is_refused_at_the_start(
    address: str, advertise: str | None, says: str, processes: helpers.Processes
) -> None:
    environ = {} if advertise is None else {"PYCOM_ADVERTISE": advertise}
    command = [sys.executable, "-m", "pycom", "-a", address, "life_services"]
    program = processes.program(*command, **environ)
    assert program.wait() == 2
    assert f"pycom: {says}" in program.output
    assert "Traceback" not in program.output
