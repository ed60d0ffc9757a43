"""Authorization by role: the plugin that reads the rules, and is nothing more without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Runtime

NAME: Final = "authorization_roles"


@hookimpl
def pycom_configure(runtime: Runtime) -> None:
    """Have calls authorized, if there are rules: a plugin of its own then, so none is no cost."""
    # Not above, where the command line would pay for it too.
    from pycom_core.settings import table
    from pycom_plugins.authentication.options import RoleOptions

    rules = table(runtime.settings, NAME, RoleOptions).rules
    if rules:
        from pycom_plugins.authentication.rules import RoleAuthorization

        policy = runtime.settings.authentication.policy
        runtime.plugins.register(RoleAuthorization(rules, policy), f"{NAME}.rules")
