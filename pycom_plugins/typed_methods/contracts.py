"""Contracts: methods that check, decode and describe their arguments and results."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_args, get_origin

import msgspec

from pycom_core import (
    BadRequest,
    ConfigurationError,
    Interface,
    Method,
    PluginError,
    Request,
    TypeCodecs,
)
from pycom_core import Runtime as Runtime
from pycom_plugins.typed_methods import defaults, faults, hints
from pycom_plugins.typed_methods.schemas import Schema, Schemas

#: Defaults that a struct takes as they are; others it would copy, or refuse.
_SIMPLE = (type(None), bool, int, float, str, bytes)


def typed(provider: Any, runtime: Runtime | None = None) -> Interface:
    """Return the interface of a class or an object, to call its methods in place as a server does.

    Results are checked. `runtime` supplies the plugins for types; by default it is that of the
    process. Raises `ConfigurationError` for an annotation that is no contract.
    """
    from pycom_core import default_runtime

    shared: Interface = provider.__interface__
    iface = shared.of(shared.instance if inspect.isclass(provider) else provider)
    apply_contracts(iface, (runtime or default_runtime()).types, check_results=True)
    return iface


def apply_contracts(iface: Interface, types: TypeCodecs, check_results: bool = False) -> None:
    """Replace the annotated methods of an interface by copies that enforce their annotations.

    Raises `ConfigurationError` for an annotation that is no contract.
    """
    taken, given = Schemas(types), Schemas(types, results=True)
    for name, method in list(iface.methods.items()):
        # A method with a `run` of its own binds its arguments itself.
        if type(method).run is not Method.run:
            continue
        signature = hints.read(iface, method)
        if signature is None:
            continue
        met = _check(iface, method, signature, types)
        checked = copy.copy(method)
        arguments = taken.complete(_arguments_schema(method, signature, taken))
        result = given.complete(_result_schema(method, signature.result, given))
        checked.details = {
            **method.details,
            "schema": {"arguments": arguments, "result": result},
        }
        if any(argument.type is not Any for argument in signature.arguments):
            checked.run = _decoding(checked, signature, _decoder(met, types))  # type: ignore[method-assign, assignment]
        if check_results:
            from pycom_plugins.typed_methods import results  # in development

            checked.respond = results.checking(checked, signature.result, result, types.encoder)  # type: ignore[method-assign, assignment]
        iface.methods[name] = checked


def _check(
    iface: Interface, method: Method, signature: hints.Signature, types: TypeCodecs
) -> Schemas:
    """The schemas of the arguments, and the classes in them. Raises `ConfigurationError`."""
    schemas = Schemas(types)
    for argument in signature.arguments:
        try:
            msgspec.json.Decoder(argument.type)
            schemas.of(argument.type)
        except PluginError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{iface.name}.{method.name}: argument {argument.name!r} cannot be checked against "
                f"its annotation {argument.type!r}: {error}"
            ) from error
    return schemas


def _decoder(met: Schemas, types: TypeCodecs) -> Callable[..., Any]:
    """Return a converter of JSON to types whose classes are all among those that were met."""
    convert: Callable[..., Any] = partial(msgspec.convert, str_keys=True)
    if met.has_foreign:
        convert = partial(convert, dec_hook=types.decode)
    if not any(defaults.of_class(cls) for cls in met.classes):
        return convert

    def convert_and_complete(value: Any, type: Any) -> Any:
        found = convert(value, type)
        defaults.complete(found)
        return found

    return convert_and_complete


def _decoding(
    method: Method, signature: hints.Signature, decode: Callable[..., Any]
) -> Callable[[Interface, Request], Any]:
    """Return a function that runs the method with decoded arguments."""
    arguments = msgspec.defstruct(
        method.name, [_field(argument) for argument in signature.arguments], kw_only=True, gc=False
    )
    keywords = [argument.name for argument in signature.arguments if argument.keyword_only]
    positional = len(signature.arguments) - len(keywords)
    required = {argument.name for argument in signature.arguments if argument.required}
    takes_attachment = method.attachments[0] is not None
    wrapped = method.wrapped
    astuple = msgspec.structs.astuple

    def run(iface: Interface, request: Request) -> Any:
        given = method.with_attachment(request) if takes_attachment else request.args
        try:
            values = astuple(decode(given, arguments))
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
                **({} if one.required else schemas.default(one.default)),
            }
            for one in arguments
        },
        "required": [one.name for one in arguments if one.required],
    }


def _result_schema(method: Method, type_: Any, schemas: Schemas) -> Schema:
    def schema(part: Any) -> Schema:
        try:
            return schemas.of(part)
        except PluginError:
            raise
        except Exception:
            # Some results are no JSON: Future, Response.
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
