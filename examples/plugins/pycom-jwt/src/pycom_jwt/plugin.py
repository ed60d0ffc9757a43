"""The plugin: knows callers by their tokens, and adds `pycom jwt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pycom_core import Identity, Request, Runtime, hookimpl, settings

if TYPE_CHECKING:
    import click

    from pycom_jwt.checking import Checker

EXTENSION = "org.pycom.auth"


@attrs.frozen
class Options:
    """The options in the table `jwt` of the configuration."""

    keys: str | None = None  #: path of the public keys
    issuer: str | None = None
    audience: str | None = None
    leeway: int = 0  #: s


class Jwt:
    """The plugin of one runtime."""

    def __init__(self) -> None:
        self._checker: Checker | None = None

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        """Read the settings and the keys."""
        options = settings.table(runtime.settings, "jwt", Options)
        if options.keys is not None:
            from pycom_jwt.checking import Checker, Keys

            keys = Keys(options.keys)
            self._checker = Checker(keys, options.issuer, options.audience, options.leeway)

    @hookimpl
    def pycom_authenticate(self, request: Request) -> Identity | None:
        """Return the owner of the token, or None if it is no JWT. Raises `AccessDenied`."""
        token = request.extensions.get(EXTENSION)
        if self._checker is None or not isinstance(token, str) or token.count(".") != 2:
            return None
        return self._checker.identity(token)

    @hookimpl
    def pycom_cli(self, group: click.Group) -> None:
        """Add `pycom jwt`."""
        from pycom_jwt.cli import jwt

        group.add_command(jwt)
