"""Plugins at fault: installed, used, and named in the messages on them."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from in_process import Distributions, MakeRuntime

from pycom_core import Request, ServiceServer, interface, method
from pycom_plugins.nameserver.service import NameServer

#: Sources of a plugin that contributes one of these as "bad:", in three parts.
FAMILIES = {
    "nameserver_backend": """
        from pycom_core import Guarantee, NameserverBackend
        class Fit(NameserverBackend):
            def __init__(self, url=""): pass
            async def register(self, record, ttl): pass
            async def unregister(self, service, address): pass
            async def find(self, interface, service=None): return []
            async def list(self): return []
        class Abstract(NameserverBackend):
            def __init__(self, url): pass
        class Unfit(Fit):
            def find(self, interface, service=None): return []
        @hookimpl
        def pycom_nameserver_backends(): return {"bad": make}
        """,
    "session_store": """
        from pycom_core import Guarantee, SessionStore
        class Fit(SessionStore):
            def __init__(self, url=""): pass
            async def load(self, session_id): return {}
            async def save(self, session_id, data, ttl): pass
            async def drop(self, session_id): pass
        class Abstract(SessionStore):
            def __init__(self, url): pass
        class Unfit(Fit):
            def load(self, session_id): return {}
        @hookimpl
        def pycom_session_stores(): return {"bad": make}
        """,
    "balancer": """
        from pycom_core import Balancer, Guarantee
        class Fit(Balancer):
            def __init__(self, url=""): pass
            def choose(self, records, key=None): return records[0]
        class Abstract(Balancer):
            def __init__(self, url): pass
        class Unfit(Fit):
            async def choose(self, records, key=None): return records[0]
        @hookimpl
        def pycom_balancers(): return {"bad": make}
        """,
}


@interface("com.foo.counting", stateful=True)
class Counting:
    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    @method
    def count(self, request: Request) -> int:
        request.session["n"] = request.session.get("n", 0) + 1
        count: int = request.session["n"]
        return count


class Faulty:
    """A plugin `bad` of the distribution dist-bad, runtimes that have it, and their log."""

    def __init__(
        self,
        distributions: Distributions,
        make_runtime: MakeRuntime,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.distributions, self.make_runtime, self._caplog = distributions, make_runtime, caplog

    @property
    def log(self) -> str:
        """All that was logged."""
        return self._caplog.text

    def install(self, source: str) -> None:
        """Install it."""
        self.distributions.plugin("bad", source)

    def contribute(self, key: str, more: str) -> None:
        """Install it to contribute for a setting what `more` defines as `make`."""
        self.install(textwrap.dedent(FAMILIES[key]) + textwrap.dedent(more))

    def serve(self, key: str) -> ServiceServer:
        """Check and make a server that has chosen it, as a process does before it answers."""
        runtime = self.make_runtime(**{key: "bad:" if key != "balancer" else "bad"})
        runtime.check_choices()
        return ServiceServer(["local://ns"], [NameServer(), Counting()], runtime)


@pytest.fixture
def faulty(
    distributions: Distributions, make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> Faulty:
    return Faulty(distributions, make_runtime, caplog)


def named(text: str, *parts: str) -> None:
    """The plugin is named, and nobody else."""
    for part in ("'bad' of dist-bad 1.0", "Fix or uninstall it, or choose another", *parts):
        assert part in text
    assert "nameserver_service" not in text
