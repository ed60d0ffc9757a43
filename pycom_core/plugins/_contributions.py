"""Checks of what plugins contribute."""

from __future__ import annotations

import inspect

from pycom_core.plugins import _fitness as fitness
from pycom_core.plugins._info import PluginInfo


def check_contribution(info: PluginInfo, hook: str, name: object, value: object) -> None:
    """Refuse what a plugin contributes if its hook cannot use it. Raises `PluginError`."""
    if hook == "pycom_commands":
        expected: type = bytes
        usable = hasattr(value, "process_request") and not inspect.isclass(value)
        wrong = None if usable else "must be an object of a subclass of BaseCommand"
    elif hook == "pycom_types":
        from pycom_core.wire._type_codecs import wrong_codec

        expected, wrong = type, wrong_codec(name, value)
    else:
        takes = "runtime" if hook == "pycom_transports" else "url"
        expected, wrong = str, fitness.wrong_factory(value, takes)
    if not isinstance(name, expected):
        raise info.fault(f"contributes {name!r} to {hook}, where names are {expected.__name__}")
    if wrong is not None:
        raise info.fault(f"contributes {value!r} as {name!r} to {hook}, which {wrong}")
