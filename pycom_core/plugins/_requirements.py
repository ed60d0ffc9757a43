"""Requirements of plugins: `pycom_requires = ("other_plugin", "distribution>=1.2")`.

A bare name means a plugin, which must be active. A name with a version means a distribution, which
must be installed in such a version. Versions are compared as `pip` does.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable
from typing import Any

ATTRIBUTE = "pycom_requires"

_VERSION = re.compile(r"[<>=!~]")


def stated(plugin: object) -> tuple[str, ...]:
    """Return the requirements that a plugin states. Raises ValueError if not a tuple of names."""
    found = getattr(plugin, ATTRIBUTE, ())
    if not isinstance(found, (tuple, list)) or not all(type(text) is str for text in found):
        raise ValueError(
            f'has {ATTRIBUTE} = {found!r}; write a tuple, ("other_plugin", "pycom>=1")'
        )
    return tuple(found)


def unmet(requirement: str, state_of: Callable[[str], str]) -> str | None:
    """Say what is missing, as the end of a sentence; None if nothing is.

    `state_of` gives the state of a plugin, or "not installed".
    """
    if _VERSION.search(requirement):
        return _unmet_version(requirement)
    state = state_of(requirement)
    return None if state == "active" else f"needs the plugin {requirement!r}, which is {state}"


def _unmet_version(requirement: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as error:
        return f"needs {requirement!r}, which is no requirement: {error}"
    try:
        found = importlib.metadata.metadata(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return f"needs {requirement}, which is not installed"
    installed: Any = found["Version"] if "Version" in found else None  # noqa: SIM401 - no get in 3.10
    try:
        if wanted.specifier.contains(installed, prereleases=True):
            return None
    except (InvalidVersion, TypeError):  # not of today's rules, or what an uninstall has left
        return f"needs {requirement}, but the version of {wanted.name} is {installed!r}"
    return f"needs {requirement}, but installed is {wanted.name} {installed}"
