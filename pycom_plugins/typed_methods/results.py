"""The check of results against their annotation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_origin

import msgspec

from pycom_core import Interface, Method, Request, Response, dict_from_wire, dict_to_wire, run_hooks
from pycom_plugins.typed_methods.fitting import Fault, misfit
from pycom_plugins.typed_methods.schemas import Schema


def checking(
    method: Method, annotation: Any, schema: Schema, encoder: msgspec.json.Encoder
) -> Callable[[Interface, Request, Any], Response]:
    """Return a function that makes a response of a result, and checks the result.

    It raises TypeError for a result that breaks its promise. It checks the JSON to send, before
    hooks change it.
    """
    unhooked = copy.copy(method)
    unhooked.posthooks = []

    def respond(iface: Interface, request: Request, result: Any) -> Response:
        response = unhooked.respond(iface, request, result)
        fault = None if response.code else _fault(response.result)
        if fault is not None:
            raise TypeError(f"{iface.name}.{method.name} returned what is no {shown}: {fault}")
        return run_hooks(method.posthooks, iface, method, response)

    def _fault(result: Any) -> Fault | None:
        try:
            frame = dict_to_wire({"result": result}, False, encoder)
        except TypeError:
            return None  # sending it fails, with the reason
        return misfit(dict_from_wire(frame)["result"], schema, "result")

    is_class = isinstance(annotation, type) and get_origin(annotation) is None
    shown = annotation.__name__ if is_class else annotation
    return respond
