"""Authorization by role: the plugin that reads the rules, and is nothing more without any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs

from pycom_core import hookimpl
from pycom_core.settings import table

if TYPE_CHECKING:
    from pycom_core import Runtime

NAME: Final = "authorization_roles"


@attrs.frozen
class Options:
    """What the table `authorization_roles` holds."""

    #: Pattern of interfaces or methods → roles of which a caller needs one.
    rules: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


@hookimpl
def pycom_configure(runtime: Runtime) -> None:
    """Have calls authorized, if there are rules: a plugin of its own then, so none is no cost."""
    rules = table(runtime.settings, NAME, Options).rules
    if rules:
        from pycom_plugins.authentication.rules import RoleAuthorization

        policy = runtime.settings.authentication.policy
        runtime.plugins.register(RoleAuthorization(rules, policy), f"{NAME}.rules")
