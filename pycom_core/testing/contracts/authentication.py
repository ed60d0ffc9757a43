"""The contract of authentication plugins."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pytest

from pycom_core import hookimpl, interface, method
from pycom_core.client._async_component import AsyncComponent
from pycom_core.client._async_context import AsyncContext
from pycom_core.errors import AccessDenied
from pycom_core.messages import Identity, Request
from pycom_core.testing.contracts.common import in_loop
from pycom_core.testing.network import LocalNetwork
from pycom_core.testing.threads import ServiceThread

Extensions = Mapping[str, Any]

#: Values that identify nobody.
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**70, "", " ", "\0", "☃𝄞", "half of a pair: \ud83d"),
    *("x" * 100_000, "a.b.c", [], {}, [None], [[]], {"name": "root"}, {"": {}}),
)
#: s; far more than anything here takes.
PATIENCE = 30.0
NOBODY: Extensions = {}
GUEST: Extensions = {"org.pycom.testing.guest": "guest"}


class _WhoAmI:
    @method
    def whoami(self, request: Request) -> Any:
        identity = request.identity
        return None if identity is None else [identity.name, *identity.roles]


@interface("org.pycom.testing.open")
class Open(_WhoAmI):
    """An interface for everybody."""


@interface("org.pycom.testing.secret", authentication="required")
class Secret(_WhoAmI):
    """An interface for known callers."""


class Guests:
    """A plugin that knows guests, asked after the others."""

    @hookimpl(trylast=True)
    def pycom_authenticate(self, request: Request) -> Identity | None:
        known = all(request.extensions.get(key) == value for key, value in GUEST.items())
        return Identity("guest", ("visitor",)) if known else None


class Neighbour:
    """A plugin that is asked before the others, and breaks the rules."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    @hookimpl(tryfirst=True)
    def pycom_authenticate(self) -> Any:
        return self._act()


@attrs.frozen
class SampleCredentials:
    """A plugin, and credentials that it knows. Credentials are extensions of a request."""

    #: The name of an installed plugin, or an object.
    plugin: str | object
    good: Extensions
    identity: Identity  #: whose they are
    #: Wrong credentials of its own kind: at least one.
    bad: Sequence[Extensions]
    settings: Mapping[str, Any] = attrs.field(factory=dict)  #: of the service
    #: Breaks the dependency of the plugin, if it has one.
    breakdown: Callable[[], object] | None = None


class AuthenticationContract:
    """Subclass it and supply the fixture `credentials`: `SampleCredentials`.

    The fixture may use `network`, a `LocalNetwork`, to run services that the plugin depends on.
    """

    @pytest.fixture
    def network(self) -> Iterator[LocalNetwork]:
        """The network of the test."""
        with LocalNetwork() as network:
            yield network

    @pytest.fixture
    def credentials(self) -> SampleCredentials:
        raise NotImplementedError("supply the fixture credentials")

    def test_owner_is_known(self, network: LocalNetwork, credentials: SampleCredentials) -> None:
        service = _serve(network, credentials)
        for iface in (Open, Secret):
            assert _whoami(network, service, iface, credentials.good) == _shown(credentials)

    def test_nobody_is_refused(self, network: LocalNetwork, credentials: SampleCredentials) -> None:
        service = _serve(network, credentials)
        assert _is_refused(network, service, Secret, NOBODY)
        assert _whoami(network, service, Open, NOBODY) is None

    def test_bad_is_refused(self, network: LocalNetwork, credentials: SampleCredentials) -> None:
        service = _serve(network, credentials)
        assert credentials.bad, "give at least one example of bad credentials"
        for bad in credentials.bad:
            assert _is_refused(network, service, Secret, bad), bad
            # Even if callers may be unknown: bad credentials are not treated as none.
            assert _is_refused(network, service, Open, bad), bad

    def test_bad_is_not_passed_on(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        service = _serve(network, credentials, guests=Guests())
        for bad in credentials.bad:
            assert _is_refused(network, service, Secret, {**GUEST, **bad}), bad

    def test_strange_is_refused(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        service = _serve(network, credentials)
        for key, good in credentials.good.items():
            for strange in STRANGE:
                if strange != good:
                    changed = {**credentials.good, key: strange}
                    assert _is_refused(network, service, Secret, changed), changed

    def test_not_its_own_is_passed_on(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        service = _serve(network, credentials, guests=Guests())
        assert _whoami(network, service, Secret, GUEST) == ["guest", "visitor"]
        assert _whoami(network, service, Secret, credentials.good) == _shown(credentials)

    def test_neighbour_that_fails_denies(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        def fail() -> None:
            raise RuntimeError("a fault of the neighbour")

        service = _serve(network, credentials, neighbour=Neighbour(fail))
        for sent in (NOBODY, credentials.good):
            assert _is_refused(network, service, Open, sent)

    def test_neighbour_that_gives_no_identity_denies(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        for wrong in (True, False, "root", ("root", ()), {"name": "root"}, Identity):
            service = _serve(network, credentials, neighbour=Neighbour(lambda: wrong))  # noqa: B023
            for sent in (NOBODY, credentials.good):
                assert _is_refused(network, service, Open, sent), wrong
            service.kill()

    def test_breakdown_denies(self, network: LocalNetwork, credentials: SampleCredentials) -> None:
        if credentials.breakdown is None:
            pytest.skip("depends on nothing")
        service = _serve(network, credentials)
        credentials.breakdown()
        for sent in (NOBODY, credentials.good, *credentials.bad):
            assert _is_refused(network, service, Secret, sent)

    @in_loop
    async def test_callers_are_not_mixed_up(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        service = _serve(network, credentials)
        bad = credentials.bad[0]
        sent = [credentials.good, NOBODY, bad] * 20
        all_there = threading.Event()
        loop = service.server.loop
        assert loop is not None
        loop.call_soon_threadsafe(all_there.wait, PATIENCE)
        async with network.async_context() as context:
            asking = [asyncio.ensure_future(_ask(context, service.address, each)) for each in sent]
            await asyncio.sleep(0)  # each of them sends
            all_there.set()
            answers = await asyncio.gather(*asking, return_exceptions=True)
        for each, answer in zip(sent, answers, strict=True):
            if each is bad:
                assert isinstance(answer, AccessDenied)
            else:
                assert answer == (None if each is NOBODY else _shown(credentials))

    def test_gone_when_disabled(
        self, network: LocalNetwork, credentials: SampleCredentials
    ) -> None:
        plugin = credentials.plugin
        disable = [plugin] if isinstance(plugin, str) else []
        service = network.serve(Open, Secret, disable=disable)
        assert _is_refused(network, service, Secret, credentials.good)
        assert _whoami(network, service, Open, credentials.good) is None


def _serve(
    network: LocalNetwork, credentials: SampleCredentials, **neighbours: object
) -> ServiceThread:
    plugin = credentials.plugin
    own = {} if isinstance(plugin, str) else {"contract": plugin}
    plugins = {**own, **neighbours}
    return network.serve(Open, Secret, plugins=plugins, **credentials.settings)


def _whoami(network: LocalNetwork, service: ServiceThread, iface: Any, sent: Extensions) -> Any:
    """Return the service's name for the sender. Raises the error that it answers."""
    name = iface.__interface__.name
    request = Request(name, "whoami", extensions={**sent})
    context = network.context()
    try:
        return context.connect(service.address, name).invoke_with_request(request).result
    finally:
        context.close()


async def _ask(context: AsyncContext, address: str, sent: Extensions) -> Any:
    name = Open.__interface__.name  # type: ignore[attr-defined]
    request = Request(name, "whoami", extensions={**sent})
    return (await AsyncComponent(address, name, context).invoke_with_request(request)).result


def _is_refused(
    network: LocalNetwork, service: ServiceThread, iface: Any, sent: Extensions
) -> bool:
    """Tell whether the service answers with code 5. Raises any other error that it answers."""
    try:
        _whoami(network, service, iface, sent)
    except AccessDenied:
        return True
    return False


def _shown(credentials: SampleCredentials) -> list[str]:
    return [credentials.identity.name, *credentials.identity.roles]
