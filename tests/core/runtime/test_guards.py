"""Guards around objects of plugins: a failure names the plugin, and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from faulty import Faulty, named
from in_process import call

from pycom_core import AsyncContext, Context, PycomError, ServiceRecord
from pycom_core.constants import DEADLINE_EXTENSION

RECORD = {"address": "tcp://127.0.0.1:1", "interfaces": ["com.foo"], "service": "/one"}
WHERE = {"interface": "com.foo"}
#: Methods of a backend, the calls of the nameserver that lead to them, and their arguments.
BACKEND = [
    ("register", "register", RECORD, "raise OSError('disk full')"),
    ("unregister", "unregister", {**RECORD, "interfaces": None}, "raise OSError('disk full')"),
    ("find", "locate", WHERE, "raise OSError('disk full')"),
    ("find", "find", WHERE, "raise OSError('disk full')"),
    ("find", "locate", WHERE, "return None"),
    ("find", "locate", WHERE, "return ['/one']"),
    ("list", "list_services", {}, "raise OSError('disk full')"),
    ("list", "list_services", {}, "return None"),
    ("find", "locate", WHERE, "raise SystemExit(4)"),
    ("find", "locate", WHERE, "import asyncio; raise asyncio.CancelledError"),
    ("list", "list_services", {}, "raise GeneratorExit"),
]


@pytest.mark.parametrize(("name", "called", "args", "body"), BACKEND)
def test_backend_that_fails_is_named(
    name: str,
    called: str,
    args: dict[str, Any],
    body: str,
    faulty: Faulty,
) -> None:
    faulty.contribute(
        "nameserver_backend",
        f"class make(Fit):\n    async def {name}(self, *args): {body}",
    )
    server = faulty.serve("nameserver_backend")
    answer = call(server, "org.pycom.nameserver", called, args)
    assert answer == {"code": 1, "error": "Unknown error during request"}
    reason = f"returned {body[7:]} from {name}" if "return" in body else f"failed in {name}: "
    named(faulty.log, "the nameserver_backend 'bad', which " + reason)


def test_backend_that_is_too_slow_is_cancelled_and_not_blamed(faulty: Faulty) -> None:
    faulty.contribute(
        "nameserver_backend",
        """
        import asyncio
        class make(Fit):
            async def find(self, interface, service=None): await asyncio.sleep(60)
        """,
    )
    server = faulty.serve("nameserver_backend")
    soon = {"extensions": {DEADLINE_EXTENSION: 50}}
    assert call(server, "org.pycom.nameserver", "locate", WHERE, **soon)["code"] == 7
    assert faulty.log == ""


def test_backend_that_refuses_is_not_blamed(faulty: Faulty) -> None:
    faulty.contribute(
        "nameserver_backend",
        """
        from pycom_core import AccessDenied
        class make(Fit):
            async def register(self, record, ttl): raise AccessDenied("taken")
        """,
    )
    server = faulty.serve("nameserver_backend")
    answer = call(server, "org.pycom.nameserver", "register", RECORD)
    assert answer == {"code": 5, "error": "taken"}
    assert faulty.log == ""


@pytest.mark.parametrize("error", ["OSError('disk full')", "SystemExit(4)"])
def test_backend_that_cannot_be_closed_is_named(
    error: str,
    faulty: Faulty,
) -> None:
    faulty.contribute(
        "nameserver_backend",
        f"class make(Fit):\n    async def close(self): raise {error}",
    )
    faulty.serve("nameserver_backend").close()
    named(faulty.log, f"failed in close: {error}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("async def load(self, session_id): raise OSError('disk full')", "failed in load: OSErr"),
        ("async def load(self, session_id): return [1]", "returned [1] from load"),
        ("async def load(self, session_id): raise SystemExit", "failed in load: SystemExit()"),
        (
            "async def load(self, session_id):\n        import asyncio\n"
            "        raise asyncio.CancelledError",
            "failed in load: CancelledError()",
        ),
        (
            "async def load(self, session_id):\n        import asyncio\n"
            "        await asyncio.sleep(0)\n        raise asyncio.CancelledError",
            "failed in load: CancelledError()",
        ),
        ("async def save(self, session_id, data, ttl): raise OSError", "failed in save: OSError()"),
    ],
)
def test_store_that_fails_is_named(
    body: str,
    reason: str,
    faulty: Faulty,
) -> None:
    faulty.contribute("session_store", f"class make(Fit):\n    {body}")
    server = faulty.serve("session_store")
    answer = call(server, "com.foo.counting", "count", session_id="some")
    assert answer["code"] == 1
    named(faulty.log, "the session_store 'bad', which " + reason)


@pytest.mark.parametrize("first", ["pass", "await asyncio.sleep(0)"])
@pytest.mark.parametrize("error", ["OSError('disk full')", "SystemExit(4)", "CancelledError()"])
def test_store_that_cannot_be_closed_is_named(
    error: str,
    first: str,
    faulty: Faulty,
) -> None:
    faulty.contribute(
        "session_store",
        f"""
        import asyncio
        from asyncio import CancelledError
        class make(Fit):
            async def close(self):
                {first}
                raise {error}
        """,
    )
    faulty.serve("session_store").close()
    named(faulty.log, f"the session_store 'bad', which failed in close: {error}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return None", "returned None from choose"),
        ("return '/one'", "returned '/one' from choose"),
        (
            "import attrs; return attrs.evolve(records[0], address='tcp://127.0.0.1:2')",
            "returned ServiceRecord(service='/one', address='tcp://127.0.0.1:2'",
        ),
        ("1 / 0", "failed in choose: ZeroDivisionError"),
        ("raise SystemExit(4)", "failed in choose: SystemExit(4)"),
    ],
)
def test_balancer_that_chooses_nothing_is_named(
    body: str,
    reason: str,
    faulty: Faulty,
) -> None:
    faulty.contribute(
        "balancer",
        f"class make(Fit):\n    def choose(self, records, key=None): {body}",
    )
    server = faulty.serve("balancer")
    runtime = server.runtime
    assert call(server, "org.pycom.nameserver", "register", RECORD)["code"] == 0
    assert call(server, "org.pycom.nameserver", "locate", WHERE)["code"] == 1
    named(faulty.log, "the balancer 'bad', which " + reason)
    with pytest.raises(PycomError) as caught:
        Context("local", runtime=runtime).locate("com.foo")
    named(str(caught.value), reason)


@pytest.mark.parametrize(
    ("body", "reason"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit(4)", "SystemExit(4)")]
)
def test_balancer_that_fails_to_observe_fails_no_call(
    body: str,
    reason: str,
    faulty: Faulty,
) -> None:
    faulty.contribute(
        "balancer",
        f"class make(Fit):\n    def observe(self, record, latency, error): {body}",
    )
    server = faulty.serve("balancer")
    runtime = server.runtime
    record = ServiceRecord("/counting", "local://ns", ("com.foo.counting",))
    asyncio.run(server.interfaces["org.pycom.nameserver"].instance._backend.register(record, 60.0))
    with Context("local", runtime=runtime).locate("com.foo.counting") as component:
        assert component.invoke("count") == 1
    named(faulty.log, f"the balancer 'bad', which failed in observe: {reason}")

    async def run() -> None:
        async with AsyncContext("local", runtime=runtime).locate("com.foo.counting") as component:
            assert await component.invoke("count") == 1

    asyncio.run(run())
