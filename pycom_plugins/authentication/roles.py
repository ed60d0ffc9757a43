"""Authorization by role: the plugin that reads the rules, and does nothing without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Runtime

NAME: Final = "authorization_roles"


@hookimpl
def pycom_configure(runtime: Runtime) -> None:
    """Add the plugin that authorizes calls, if there are rules; otherwise calls cost no more."""
    # Not above, where the command line would pay for it too.
    from pycom_core.settings import table
    from pycom_plugins.authentication.options import RoleOptions

    rules = table(runtime.settings, NAME, RoleOptions).rules
    if rules:
        from pycom_plugins.authentication.rules import RoleAuthorization

        policy = runtime.settings.authentication.policy
        runtime.plugins.register(RoleAuthorization(rules, policy), f"{NAME}.rules")
