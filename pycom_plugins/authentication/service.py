"""An authenticator for small installations: passwords in a file, tokens in memory."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import attrs

from pycom_core import (
    AccessDenied,
    ConfigurationError,
    Overloaded,
    Request,
    constants,
    interface,
    logger,
    method,
)
from pycom_core.settings import table
from pycom_plugins.authentication import passwords
from pycom_plugins.authentication.expiring import Expiring
from pycom_plugins.authentication.tokens import Owner, Tokens
from pycom_plugins.authentication.users import User, Users

if TYPE_CHECKING:
    from pycom_core import Runtime

NAME: Final = "authenticator"
#: Passwords that are checked at one time, at 64 MiB each; and those checked or waiting.
CHECKS: Final = 2
MOST_WAITING: Final = 50
#: Wrong passwords for one name after which that name must wait, and the wait in s.
TRIES: Final = 10
PAUSE: Final = 60.0
#: Number of names whose wrong passwords are counted.
MOST_NAMES: Final = 100_000

_WRONG = "Wrong user or credentials"


def _positive(_instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0")


@attrs.frozen
class Options:
    """The options in the table `authenticator`."""

    users: str | None = None  #: path of the file of users
    token_lifetime: float = attrs.field(default=3600.0, validator=_positive)  #: s


def users_of(options: Options) -> Users:
    """Return the users that the configuration names. Raises `ConfigurationError`."""
    if options.users is None:
        raise ConfigurationError(
            f"Where are the users? Name their file: --users FILE, or {NAME}.users in the "
            "configuration"
        )
    return Users(options.users)


@interface(constants.AUTH_INTERFACE, authentication="never")
class Authenticator:
    """Gives tokens to users who know their password, and names the owner of a token."""

    introspection_data: dict[str, Any] = {}  # noqa: RUF012

    _users: Users
    _tokens: Tokens

    def open(self, runtime: Runtime) -> None:
        """Use the users that the configuration names. Raises `ConfigurationError`."""
        options = table(runtime.settings, NAME, Options)
        self._users = users_of(options)
        self._users.all()
        self._tokens = Tokens(options.token_lifetime)
        self._tries: Expiring[int] = Expiring(PAUSE, MOST_NAMES)
        self._checks = ThreadPoolExecutor(CHECKS, "pycom-passwords")
        self._waiting = 0
        # A password is checked for unknown names too, so that the time does not tell who is a user.
        self._nobody = User(passwords.hashed(secrets.token_hex()))

    @method(constants.AUTH_METHOD_AUTHENTICATE, results=("token",))
    async def authenticate(self, request: Request, user: Any, credentials: Any) -> str:
        """Give a token to a user. The credentials are the password."""
        # Not annotated as texts, so that other values are denied like wrong passwords.
        if not (_is_text(user) and _is_text(credentials)):
            raise AccessDenied(_WRONG)
        if self._waiting >= MOST_WAITING:
            raise Overloaded("Too many users log in at this moment")
        tries = self._tries.get(user) or 0
        if tries >= TRIES:
            raise AccessDenied("Too many wrong passwords for this user; try again in a minute")
        # Counted beforehand, so that many at once do not get past.
        self._tries.put(user, tries + 1)
        known = self._users.all().get(user)
        matches = await self._matches(known or self._nobody, credentials)
        if known is None or not matches:
            logger().info("Wrong user or credentials for %.100r", user)
            raise AccessDenied(_WRONG)
        self._tries.drop(user)
        return self._tokens.issue(Owner(user, known.password))

    async def _matches(self, user: User, password: str) -> bool:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._checks, passwords.matches, user.password, password
            )
        finally:
            self._waiting -= 1

    @method(constants.AUTH_METHOD_VALIDATE, results=("name", "roles"))
    async def validate(self, request: Request, token: Any) -> tuple[str, list[str]]:
        """Name and roles of the user whom a token belongs to."""
        owner = self._tokens.owner(token) if type(token) is str else None
        # The token ends when its user is removed or gets another password.
        user = None if owner is None else self._users.all().get(owner.name)
        if owner is None or user is None or user.password != owner.password:
            raise AccessDenied("The token is not valid, or no longer")
        return owner.name, list(user.roles)

    def close(self) -> None:
        """Check no more passwords."""
        self._checks.shutdown(wait=False, cancel_futures=True)


def _is_text(value: object) -> bool:
    return type(value) is str and len(value) <= passwords.LONGEST
