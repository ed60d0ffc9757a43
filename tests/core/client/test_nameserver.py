"""The nameserver as a component: any of its replicas."""

from __future__ import annotations

import pytest
from doubles import Directory
from in_process import MakeRuntime

from pycom_core import Context, ServiceNotAvailable, ServiceNotFound, ServiceServer
from pycom_core.client._nameserver import Nameserver


def test_others_are_called_when_one_has_gone(make_runtime: MakeRuntime) -> None:
    one, two = (ServiceServer([f"local://{n}"], [Directory()], make_runtime()) for n in (1, 2))
    nameserver = Nameserver(Context(["local://1", "local://2"], runtime=make_runtime()))
    assert nameserver.invoke("stat") == {}
    assert nameserver.address == "local://1"
    one.close()
    assert nameserver.invoke("stat") == {}
    assert nameserver.address == "local://2"
    two.close()
    with pytest.raises(ServiceNotFound, match=r"No nameserver answers: .*local://2; .*local://1"):
        nameserver.invoke("stat")


def test_no_address_without_a_nameserver_in_the_process(make_runtime: MakeRuntime) -> None:
    nameserver = Nameserver(Context(runtime=make_runtime()))
    with pytest.raises(ServiceNotAvailable, match="no nameserver runs in this process"):
        nameserver.address  # noqa: B018
