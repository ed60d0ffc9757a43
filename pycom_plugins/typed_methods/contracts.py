"""Contracts: methods that check and decode their arguments, and say what they take and give."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, get_args, get_origin

import msgspec

from pycom_core import BadRequest, ConfigurationError, Interface, Method, Request
from pycom_plugins.typed_methods import faults, hints
from pycom_plugins.typed_methods.schemas import Schema, Schemas, default

#: Defaults that a struct takes as they are; of others it would make copies, or refuse them.
_SIMPLE = (type(None), bool, int, float, str, bytes)


def typed(provider: Any) -> Interface:
    """The interface of a class or an object, to call its methods in place as a server does.

    Raises `ConfigurationError` for an annotation that is no contract.
    """
    shared: Interface = provider.__interface__
    iface = shared.of(shared.instance if inspect.isclass(provider) else provider)
    apply_contracts(iface)
    return iface


def apply_contracts(iface: Interface) -> None:
    """Exchange the annotated methods of an interface for copies that keep to their annotations.

    Raises `ConfigurationError` for an annotation that is no contract.
    """
    taken, given = Schemas(), Schemas(results=True)
    for name, method in list(iface.methods.items()):
        # Who runs in a way of his own binds his arguments himself.
        if type(method).run is not Method.run:
            continue
        signature = hints.read(iface, method)
        if signature is None:
            continue
        _check(iface, method, signature)
        checked = copy.copy(method)
        checked.details = {
            **method.details,
            "schema": {
                "arguments": taken.complete(_arguments_schema(method, signature, taken)),
                "result": given.complete(_result_schema(method, signature.result, given)),
            },
        }
        if any(argument.type is not Any for argument in signature.arguments):
            checked.run = _decoding(checked, signature)  # type: ignore[method-assign, assignment]
        iface.methods[name] = checked


def _check(iface: Interface, method: Method, signature: hints.Signature) -> None:
    for argument in signature.arguments:
        try:
            msgspec.json.Decoder(argument.type)
            Schemas().of(argument.type)
        except Exception as error:
            raise ConfigurationError(
                f"{iface.name}.{method.name}: argument {argument.name!r} cannot be checked against "
                f"its annotation {argument.type!r}: {error}"
            ) from error


def _decoding(method: Method, signature: hints.Signature) -> Callable[[Interface, Request], Any]:
    """What runs the method with decoded arguments."""
    arguments = msgspec.defstruct(
        method.name, [_field(argument) for argument in signature.arguments], kw_only=True, gc=False
    )
    keywords = [argument.name for argument in signature.arguments if argument.keyword_only]
    positional = len(signature.arguments) - len(keywords)
    required = {argument.name for argument in signature.arguments if argument.required}
    takes_attachment = method.attachments[0] is not None
    wrapped = method.wrapped
    convert, astuple = msgspec.convert, msgspec.structs.astuple

    def run(iface: Interface, request: Request) -> Any:
        given = method.with_attachment(request) if takes_attachment else request.args
        try:
            values = astuple(convert(given, arguments, str_keys=True))
        except faults.FAULTS as fault:
            if isinstance(given, dict) and not required <= given.keys():
                return Method.run(method, iface, request)  # which says what is missing
            raise BadRequest(faults.explain(fault)) from fault
        if keywords:
            named = dict(zip(keywords, values[positional:], strict=True))
            return wrapped(iface.instance, request, *values[:positional], **named)
        return wrapped(iface.instance, request, *values)

    return run


def _field(argument: hints.Argument) -> tuple[str, Any] | tuple[str, Any, Any]:
    if argument.required:
        return argument.name, argument.type
    value = argument.default
    if type(value) not in _SIMPLE:
        value = msgspec.field(default_factory=lambda: argument.default)
    return argument.name, argument.type, value


def _arguments_schema(method: Method, signature: hints.Signature, schemas: Schemas) -> Schema:
    arguments = [one for one in signature.arguments if one.name != method.attachments[0]]
    return {
        "type": "object",
        "properties": {
            one.name: {
                **schemas.of(one.type),
                **({} if one.required else default(one.default)),
            }
            for one in arguments
        },
        "required": [one.name for one in arguments if one.required],
    }


def _result_schema(method: Method, type_: Any, schemas: Schemas) -> Schema:
    def schema(part: Any) -> Schema:
        try:
            return schemas.of(part)
        except Exception:
            # Results are not checked, and there are those that are no JSON: Future, Response.
            return {}

    names = method.results
    if not names:
        return schema(type_)
    parts = get_args(type_) if len(names) > 1 and get_origin(type_) is tuple else (type_,)
    if len(parts) != len(names) or ... in parts:
        parts = (Any,) * len(names)
    properties = {
        name: schema(part)
        for name, part in zip(names, parts, strict=True)
        if name != method.attachments[1]
    }
    return {"type": "object", "properties": properties, "required": list(properties)}
