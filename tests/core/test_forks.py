"""The resources that a forked child is told to release."""

from __future__ import annotations

import os

import pytest
from in_process import MakeRuntime, running

from pycom_core import Runtime, ServiceServer, Settings, interface, method
from pycom_core import _forks as forks
from pycom_core.messages import Request


class Owner:
    def __init__(self) -> None:
        self.left = 0

    def leave_to_parent(self) -> None:
        self.left += 1


def status_of_child(check: object) -> int:
    """Fork a child that calls `check`, and return its status: 0, or 1 if the check fails."""
    child = os.fork()
    if not child:
        try:
            assert callable(check)
            check()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_each_owner_lets_go_once_in_the_child_alone() -> None:
    owner = Owner()
    forks.watch(owner)
    forks.watch(owner)

    def check() -> None:
        assert owner.left == 1
        assert status_of_child(lambda: None) == 0
        assert owner.left == 1

    assert status_of_child(check) == 0
    assert owner.left == 0


def test_an_owner_that_is_gone_is_not_kept() -> None:
    forks.watch(Owner())
    assert not any(isinstance(one, Owner) for one in forks._owners)


@interface("com.foo.echo")
class Echo:
    @method
    def echo(self, request: Request, value: int) -> int:
        return value


def test_servers_and_loop_of_a_runtime_stay_with_the_parent(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["local://a"], [Echo], runtime)
    loop = runtime.ioloop()
    server.setup(loop)

    def check() -> None:
        assert runtime.servers == []
        server.close()  # which would take its descriptors off the loop of both
        assert server.listeners
        other = runtime.ioloop()
        assert other is not loop
        assert runtime.ioloop() is other
        ServiceServer(["local://b"], [Echo], runtime)
        assert runtime._server_at("local://b") is runtime.servers[0]
        other.close()

    assert status_of_child(check) == 0
    assert runtime.servers == [server]
    server.close()
    loop.close()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://[::1]:*", "ipc"])
def test_the_child_has_no_descriptor_of_a_listener(address: str, tmp_path: object) -> None:
    runtime = Runtime(Settings())
    address = f"ipc://{tmp_path}/socket" if address == "ipc" else address
    server = ServiceServer([address], [Echo], runtime)
    with running(server):
        channel = runtime.transport.connect(server.addresses[0])
        frames = [b"CALL", b'{"interface":"com.foo.echo","method":"echo","args":{"value":1}}']
        assert channel.exchange(frames, 30_000)[0] == b"OK"
        before = set(os.listdir("/dev/fd"))

        def check() -> None:
            # What listens, and the connection.
            assert len(before - set(os.listdir("/dev/fd"))) == 2

        assert status_of_child(check) == 0
        assert channel.exchange(frames, 30_000)[0] == b"OK"
        channel.close()
    runtime.close()


@pytest.mark.parametrize("use", ["receive", "send", "stand_in"])
def test_a_child_that_uses_a_listener_ends(use: str) -> None:
    runtime = Runtime(Settings())
    listener = ServiceServer(["tcp://127.0.0.1:*"], [Echo], runtime).listeners[0]
    arguments = ([b"", b""],) if use == "send" else ()
    assert status_of_child(lambda: (getattr(listener, use)(*arguments), 1 / 0)) == 1
    runtime.close()
