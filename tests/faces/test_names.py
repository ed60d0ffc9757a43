"""Every public name of PyCOM 0.6.0 is still there, with its arguments."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from typing import Any

import pytest

import pycom
import zerojson
from pycom.apps.demo import Demo

#: Dotted names, and how they are called; None for what is not called, or not looked at.
NAMES: dict[str, str | None] = {
    # Writing services.
    "pycom.interface": "name, stateful=False, authentication=None",
    "pycom.method": (
        "name=None, body=None, method_factory=None, results=(), attachments=(None, None)"
    ),
    "pycom.Service": "",
    "pycom.Service.introspect": "self, request",
    "pycom.Service.introspection_data": None,
    "pycom.ext.checks.check_argument": (
        "name, valid_types=None, validator=None, error_message=None"
    ),
    "pycom.main": "argv=None, client_context=None",
    "pycom.apps.nameserver": None,
    "pycom.apps.demo": None,
    # Calling.
    "pycom.Context": "nameserver=None",
    "pycom.Context.authenticate": "self, user=None, credentials=None, token=None",
    "pycom.Context.user_info": "self",
    "pycom.Context.nameserver": "self",
    "pycom.Context.locate": "self, iface, service_name=None",
    "pycom.Context.connect": "self, address, iface",
    "pycom.ProxyContext": None,
    "pycom.ProxyContext.nameserver": "self",
    "pycom.ProxyContext.locate": "self, iface, service_name=None",
    "pycom.ProxyContext.connect": "self, address, iface",
    "pycom.ProxyComponent": None,
    "pycom.BaseComponent": None,
    "pycom.BaseComponent.invoke": "self, method_name, args=None, timeout=None, attachment=None",
    "pycom.BaseComponent.invoke_with_request": "self, request, timeout=None",
    "pycom.BaseComponent.introspect": "self",
    "pycom.BaseComponent.close": "self",
    "pycom.BaseComponent.__enter__": "self",
    "pycom.BaseComponent.__exit__": None,
    "pycom.RemoteError": None,
    "pycom.RemoteError.code": None,
    "pycom.MethodNotFound": None,
    "pycom.ServiceNotFound": None,
    "pycom.BadRequest": None,
    "pycom.AccessDenied": None,
    "pycom.SessionExpired": None,
    "pycom.ServiceNotAvailable": None,
    "pycom.ConfigurationError": None,
    "pycom.configure": "file=None",
    "pycom.configuration": None,
    # Extending.
    "pycom.logger": "",
    "pycom.ioloop": "",
    "pycom.create_task": "callback, timeout",
    "pycom.interfaces.Interface": "wrapped, name, stateful=False, authentication=None",
    "pycom.interfaces.Interface.instance": None,
    "pycom.interfaces.Interface.invoke": (
        "self, method_name, args=None, timeout=None, attachment=None"
    ),
    "pycom.interfaces.Interface.invoke_with_request": "self, request, timeout=None",
    "pycom.interfaces.Interface.register_method": "self, method_info",
    "pycom.interfaces.Method": "wrapped, name, results=(), attachments=(None, None)",
    "pycom.interfaces.Method.call": "self, iface, request",
    "pycom.interfaces.Method.post_configure": "self, owner_iface",
    "pycom.nsclient.detect_ns": "host",
    "pycom.constants": None,
    # ZeroJSON.
    "zerojson.Request": None,
    "zerojson.Request.session_id": None,
    "zerojson.Request.response": "self, result, attachment=None",
    "zerojson.Request.error": "self, code, message=None",
    "zerojson.Request.context": "self",
    "zerojson.Response": None,
    "zerojson.Session": None,
    "zerojson.Session.discard": "self",
    "zerojson.Future": "request",
    "zerojson.Future.response": "self, result, attachment=None",
    "zerojson.Future.error": "self, code, message=None",
    "zerojson.Future.exception": "self",
    "zerojson.Server": "addresses",
    "zerojson.Server.session_factory": None,
    "zerojson.Server.handle_call": "self, request",
    "zerojson.Server.prepare_call": "self, request",
    "zerojson.Server.process": "self, request",
    "zerojson.Server.setup": "self, ioloop=None",
    "zerojson.Client": "socket, iface, context=None",
    "zerojson.Client.close": "self",
    "zerojson.Client.invoke": "self, method_name, args=None, timeout=None, attachment=None",
    "zerojson.Client.invoke_with_request": "self, request, timeout=None",
    "zerojson.common.BaseCommand": "server=None",
    "zerojson.common.BaseCommand.process_request": None,
    "zerojson.common.BaseCommand.real_process_request": None,
    "zerojson.common.BaseCommand.request_from_dict": "self, data",
    "zerojson.common.BaseCommand.request_from_wire": "self, message",
    "zerojson.common.BaseCommand.request_to_dict": None,
    "zerojson.common.BaseCommand.request_to_wire": "self, request",
    "zerojson.common.BaseCommand.response_from_dict": "self, data",
    "zerojson.common.BaseCommand.response_from_wire": "self, message",
    "zerojson.common.BaseCommand.response_to_dict": "self, response",
    "zerojson.common.BaseCommand.response_to_wire": "self, response",
    "zerojson.common.dict_to_wire": "data, with_version=True",
    "zerojson.common.dict_from_wire": "data",
    "zerojson.call.CallCommand": "server=None",
    "zerojson.constants": None,
}

CONSTANTS: dict[str, Any] = {
    "pycom.constants.GENERIC_METHOD_INTROSPECT": "introspect",
    "pycom.constants.NS_INTERFACE": "org.pycom.nameserver",
    "pycom.constants.NS_METHOD_STAT": "stat",
    "pycom.constants.NS_METHOD_LOCATE": "locate",
    "pycom.constants.NS_METHOD_REGISTER": "register",
    "pycom.constants.NS_METHOD_LIST_SERVICES": "list_services",
    "pycom.constants.NS_SERVICE_TIMEOUT": 60000,
    "pycom.constants.NS_NAME_LOCAL": "local",
    "pycom.constants.AUTH_INTERFACE": "org.pycom.authenticator",
    "pycom.constants.AUTH_METHOD_AUTHENTICATE": "authenticate",
    "pycom.constants.AUTH_METHOD_VALIDATE": "validate",
    "pycom.constants.AUTH_EXTENSION": "org.pycom.auth",
    "zerojson.constants.ERROR_UNKNOWN": 1,
    "zerojson.constants.ERROR_METHOD_NOT_FOUND": 2,
    "zerojson.constants.ERROR_SERVICE_NOT_FOUND": 3,
    "zerojson.constants.ERROR_BAD_REQUEST": 4,
    "zerojson.constants.ERROR_ACCESS_DENIED": 5,
    "zerojson.constants.ERROR_SESSION_EXPIRED": 6,
    "zerojson.constants.PROTO_VERSION": "1.0",
    "zerojson.constants.PROTO_CMD_CALL": b"CALL",
    "zerojson.constants.PROTO_CMD_FINISH": b"FINISH",
    "zerojson.constants.PROTO_STATUS_SUCCESS": b"OK",
    "zerojson.constants.PROTO_STATUS_FAILURE": b"FAIL",
    "zerojson.constants.PROTO_DEFAULT_TIMEOUT": 5000,
    "zerojson.constants.PROTO_SESSION_TIMEOUT": 3_600_000,
}

#: What objects have, beside what their classes show.
ATTRIBUTES: dict[str, tuple[Any, str]] = {
    "pycom.interfaces.Interface": (
        lambda: Demo.__interface__,
        "name instance methods stateful authentication invoke introspect close",
    ),
    "pycom.interfaces.Method": (
        lambda: Demo.echo.__method__,
        "wrapped name prehooks posthooks required_arguments optional_arguments results attachments",
    ),
    "zerojson.Request": (
        lambda: zerojson.Request("com.foo", "bar"),
        "interface method session session_id args extensions attachment",
    ),
    "zerojson.Response": (
        lambda: zerojson.Response(None),
        "request result code message session_id extensions attachment",
    ),
    "zerojson.Session": (lambda: zerojson.Session("id"), "session_id discard items"),
    "zerojson.common.BaseCommand": (lambda: zerojson.common.BaseCommand(), "server"),
    "pycom.RemoteError": (lambda: pycom.RemoteError("text"), "code"),
}


def found(dotted: str) -> Any:
    """Return the object of a dotted name, in the longest module that the name begins with."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise AssertionError(f"{dotted} is nowhere")


@pytest.mark.parametrize("dotted", [*NAMES, *CONSTANTS])
def test_name(dotted: str) -> None:
    found(dotted)


@pytest.mark.parametrize("dotted", [name for name, call in NAMES.items() if call is not None])
def test_arguments(dotted: str) -> None:
    """Those of 0.6.0 come first; more may follow that need not be given."""
    shown = inspect.signature(found(dotted))
    wanted = inspect.signature(eval(f"lambda {NAMES[dotted]}: None"))
    given = [
        parameter.replace(annotation=parameter.empty) for parameter in shown.parameters.values()
    ]
    more = given[len(wanted.parameters) :]
    assert given[: len(wanted.parameters)] == list(wanted.parameters.values())
    optional = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    assert all(one.default is not one.empty or one.kind in optional for one in more)


@pytest.mark.parametrize("dotted", CONSTANTS)
def test_constant(dotted: str) -> None:
    value = found(dotted)
    assert value == CONSTANTS[dotted]
    assert type(value) is type(CONSTANTS[dotted])


@pytest.mark.parametrize("dotted", ATTRIBUTES)
def test_attributes(dotted: str) -> None:
    make, names = ATTRIBUTES[dotted]
    made = make()
    assert isinstance(made, found(dotted))
    for name in names.split():
        assert hasattr(made, name), name


@pytest.mark.parametrize("dotted", ["pycom", "pycom.constants", "zerojson.constants"])
def test_version(dotted: str) -> None:
    module = found(dotted)
    if dotted == "pycom":
        assert module.__version__ == importlib.metadata.version("pycom")
    info = module.__version_info__
    assert [type(part) for part in info] == [int, int, int, str]
    assert module.__version__ == "{}.{}.{}{}".format(*info)
    assert info >= (0, 6, 0, "")


def test_both_imports_are_enough() -> None:
    """Only `pycom.apps` and `pycom.ext` need imports of their own."""
    apart = ("pycom.apps.", "pycom.ext.")
    names = [name for name in (*NAMES, *CONSTANTS) if not name.startswith(apart)]
    code = f"import pycom, zerojson\nfor name in {names!r}:\n    eval(name)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_faces_say_what_they_show() -> None:
    for face in (pycom, zerojson):
        # pytest leaves names of its own behind that are none, where it rewrites assertions.
        shown = {name for name in dir(face) if name.isidentifier() and name[0] != "_"}
        listed = {name for name in face.__all__ if not name.startswith("_")}
        assert listed <= shown
        assert shown - listed <= {"annotations", "apps", "ext"}


def test_exceptions() -> None:
    remote = {
        pycom.MethodNotFound: 2,
        pycom.ServiceNotFound: 3,
        pycom.BadRequest: 4,
        pycom.AccessDenied: 5,
        pycom.SessionExpired: 6,
    }
    for kind, code in remote.items():
        assert issubclass(kind, pycom.RemoteError)
        assert kind("text").code == code
        assert str(kind("text")) == "text"
        assert getattr(zerojson, kind.__name__) is kind
    assert pycom.RemoteError("text").code == 1
    assert pycom.RemoteError("text", code=42).code == 42
    for kind in (pycom.ServiceNotAvailable, pycom.ConfigurationError):
        assert not issubclass(kind, pycom.RemoteError)
        assert issubclass(kind, pycom.PycomError)
