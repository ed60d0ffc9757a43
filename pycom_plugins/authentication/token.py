"""Authentication by the token that comes with a request."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from pycom_core import AccessDenied, constants, hookimpl, logger

if TYPE_CHECKING:
    from pycom_core import Identity, Interface, Request, Runtime, Server
    from pycom_plugins.authentication.expiring import Expiring
    from pycom_plugins.authentication.validation import Validator

NAME: Final = "authentication_token"
#: Number of identities that are remembered at one time.
CACHE_SIZE: Final = 10_000


class TokenAuthentication:
    """Authentication by the token in the extension `org.pycom.auth`.

    The authenticator checks the token.
    """

    _policy: str | None
    _known: Expiring[Identity]
    _validator: Validator

    def __init__(self) -> None:
        self._reachable = True

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        """Prepare the validator of tokens."""
        # Not above, where the command line would pay for it too.
        from pycom_core.settings import table
        from pycom_plugins.authentication.expiring import Expiring
        from pycom_plugins.authentication.options import TokenOptions
        from pycom_plugins.authentication.validation import Validator

        options = table(runtime.settings, NAME, TokenOptions)
        self._policy = runtime.settings.authentication.policy
        self._known = Expiring(options.cache_lifetime, CACHE_SIZE)
        self._validator = Validator(runtime)

    # Last, so that plugins that know a token by its form come before, whatever their names are.
    @hookimpl(trylast=True)
    def pycom_authenticate(
        self, iface: Interface, request: Request
    ) -> Identity | Awaitable[Identity | None] | None:
        """Return the owner of the token; None without one."""
        token: Any = request.extensions.get(constants.AUTH_EXTENSION)
        # The authenticator must not have to ask itself before it answers.
        if token is None or iface.name == constants.AUTH_INTERFACE:
            return None
        if type(token) is not str:
            raise AccessDenied(f"The token in {constants.AUTH_EXTENSION} must be a string")
        # No coroutine where there is nothing to wait for: it would cost more than the rest.
        return self._known.get(token) or self._ask(iface, token)

    async def _ask(self, iface: Interface, token: str) -> Identity | None:
        from pycom_plugins.authentication.validation import Unreachable

        try:
            identity = await self._validator.identity_of(token)
        except Unreachable as error:
            self._report(error)
            if (iface.authentication or self._policy) == "required":
                raise AccessDenied(
                    "The token cannot be checked: no authenticator answers"
                ) from error
            return None
        self._reachable = True
        self._known.put(token, identity)
        return identity

    def _report(self, error: Exception) -> None:
        if self._reachable:  # said once, not for each of many calls
            logger().warning("Tokens cannot be checked: %s", error)
        self._reachable = False

    @hookimpl
    def pycom_shutdown(self, server: Server) -> None:
        """Close the connections to the authenticator."""
        self._validator.close()
