"""Nameserver, authenticator and services in processes of their own, over TCP."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest

from pycom_core import AccessDenied, Context, ProxyContext, Runtime, ServiceNotFound, Settings

HERE = Path(__file__).parent
MakeContext = Callable[[], ProxyContext]


@pytest.fixture
def make_context(nameserver: helpers.Service) -> Iterator[MakeContext]:
    """Makes contexts of callers who are not known yet."""
    runtime = Runtime(Settings(nameserver=(nameserver.address,)))
    yield lambda: ProxyContext(Context(runtime=runtime, timeout=helpers.PATIENCE * 1000))
    runtime.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of services that remember no identity."""
    path = tmp_path / "service.toml"
    path.write_text("[authentication_token]\ncache_lifetime = 0\n")
    return path


@pytest.fixture
def authenticator(
    processes: helpers.Processes, nameserver: helpers.Service, users_file: Path
) -> helpers.Service:
    return start_authenticator(processes, nameserver, "--users", str(users_file))


def start_authenticator(
    processes: helpers.Processes, nameserver: helpers.Service, *arguments: str
) -> helpers.Service:
    where = ["-a", helpers.ANY_PORT, "-n", nameserver.address]
    before = nameserver.output.count("Registered /org/pycom/authenticator at")
    started = processes._kept(
        helpers.Service(helpers.script("pycom"), "authenticator", *where, *arguments)
    )
    nameserver.wait_for("Registered /org/pycom/authenticator at", times=before + 1)
    return started


@pytest.fixture
def service(
    processes: helpers.Processes, nameserver: helpers.Service, config: Path
) -> helpers.Service:
    return processes.service(
        "secret_service", nameserver=nameserver, directory=HERE, arguments=["-c", str(config)]
    )


def call(context: ProxyContext, interface: str, method: str = "whoami") -> Any:
    with context._wrapped.locate(interface) as component:
        return component.invoke(method)


@pytest.mark.usefixtures("authenticator", "service")
def test_a_caller_with_a_password(
    processes: helpers.Processes, nameserver: helpers.Service, make_context: MakeContext
) -> None:
    processes.service("relay_service", nameserver=nameserver, directory=HERE)
    context = make_context()
    context.authenticate(user="ann", credentials="pw")
    assert context.user_info() == {"name": "ann", "roles": ["user"]}
    assert call(context, "com.foo.secret") == ["ann", "user"]
    assert call(context, "com.foo.secret", "user_info") == {"name": "ann", "roles": ["user"]}
    assert call(context, "com.foo.open") == "ann"
    with context.locate("com.foo.secret") as secret:
        assert secret.whoami() == ["ann", "user"]
    # A service that it calls makes calls of its own in its name.
    assert call(context, "com.foo.relay") == ["ann", "user"]

    by_token = make_context()
    by_token.authenticate(token=context._wrapped.token)
    assert call(by_token, "com.foo.secret") == ["ann", "user"]


@pytest.mark.usefixtures("authenticator", "service")
def test_a_caller_without(
    processes: helpers.Processes, nameserver: helpers.Service, make_context: MakeContext
) -> None:
    processes.service("relay_service", nameserver=nameserver, directory=HERE)
    context = make_context()
    assert context.user_info() is None
    assert call(context, "com.foo.open") is None
    for interface in ("com.foo.secret", "com.foo.relay"):
        with pytest.raises(AccessDenied, match=r"^Authentication required$"):
            call(context, interface)
    for wrong in ({"user": "ann", "credentials": "no"}, {"user": "bob", "credentials": "pw"}):
        with pytest.raises(AccessDenied, match=r"^Wrong user or credentials$"):
            context.authenticate(**wrong)
    with pytest.raises(AccessDenied):
        context.authenticate(token="guessed")
    assert context.user_info() is None
    context._wrapped.token = "guessed"
    for interface in ("com.foo.secret", "com.foo.open"):
        with pytest.raises(AccessDenied, match=r"^The token is not valid, or no longer$"):
            call(context, interface)


@pytest.mark.usefixtures("service")
def test_a_token_that_has_ended(
    processes: helpers.Processes,
    nameserver: helpers.Service,
    make_context: MakeContext,
    users_file: Path,
    tmp_path: Path,
) -> None:
    config = tmp_path / "authenticator.toml"
    config.write_text(f'[authenticator]\nusers = "{users_file}"\ntoken_lifetime = 2\n')
    start_authenticator(processes, nameserver, "-c", str(config))
    context = make_context()
    context.authenticate(user="ann", credentials="pw")
    started = time.monotonic()
    problem = None
    while problem is None and time.monotonic() - started < helpers.PATIENCE:
        try:
            call(context, "com.foo.secret")
        except AccessDenied as error:
            problem = str(error)
    assert problem == "The token is not valid, or no longer"
    with pytest.raises(AccessDenied):
        context.user_info()
    with pytest.raises(AccessDenied):
        call(context, "com.foo.open")


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_without_the_authenticator_all_is_shut(
    number: int,
    processes: helpers.Processes,
    nameserver: helpers.Service,
    authenticator: helpers.Service,
    make_context: MakeContext,
    users_file: Path,
) -> None:
    context = make_context()
    context.authenticate(user="ann", credentials="pw")
    assert call(context, "com.foo.secret") == ["ann", "user"]
    assert authenticator.stop(number) == (0 if number == signal.SIGTERM else -number)
    with pytest.raises(AccessDenied, match="The token cannot be checked"):
        call(context, "com.foo.secret")
    assert call(context, "com.foo.open") is None

    if number == signal.SIGKILL:
        return  # its name is taken for a minute
    start_authenticator(processes, nameserver, "--users", str(users_file))
    with pytest.raises(AccessDenied, match="not valid"):
        call(context, "com.foo.secret")
    context.authenticate(user="root", credentials="pw")
    assert call(context, "com.foo.secret") == ["root", "user", "admin"]


def test_without_any_authenticator(make_context: MakeContext, service: helpers.Service) -> None:
    with pytest.raises(ServiceNotFound):
        make_context().authenticate(user="ann", credentials="pw")


def test_all_in_one_process(processes: helpers.Processes, users_file: Path, tmp_path: Path) -> None:
    """The nameserver, the authenticator and the services of one small installation."""
    config = tmp_path / "all.toml"
    rules = '"com.foo.secret.user_info" = ["admin"]'
    config.write_text(
        f'[authenticator]\nusers = "{users_file}"\n[authorization_roles.rules]\n{rules}\n'
    )
    modules = ["pycom.apps.nameserver", "pycom.apps.authenticator", "secret_service"]
    service = processes.service(*modules, directory=HERE, arguments=["-c", str(config)])
    runtime = Runtime(Settings(nameserver=(service.address,)))
    context = Context(runtime=runtime)
    try:
        helpers.eventually(lambda: context.locate("com.foo.secret").close(), ServiceNotFound)
        context.authenticate(user="ann", credentials="pw")
        assert call(ProxyContext(context), "com.foo.secret") == ["ann", "user"]
        with pytest.raises(AccessDenied, match="ann has no role"):
            call(ProxyContext(context), "com.foo.secret", "user_info")
        context.authenticate(user="root", credentials="pw")
        found = call(ProxyContext(context), "com.foo.secret", "user_info")
        assert found == {"name": "root", "roles": ["user", "admin"]}
    finally:
        runtime.close()
    assert service.stop() == 0
