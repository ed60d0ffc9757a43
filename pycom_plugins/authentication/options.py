"""Options of the plugins that authenticate and authorize."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


def _not_negative(_instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must not be negative")


@attrs.frozen
class TokenOptions:
    """The options in the table `authentication_token`."""

    #: s for which a valid token is not checked again, so that it may outlive its end;
    #: 0: it is checked at each call.
    cache_lifetime: float = attrs.field(default=5.0, validator=_not_negative)


@attrs.frozen
class RoleOptions:
    """The options in the table `authorization_roles`."""

    #: Pattern of interfaces or methods → roles; a caller needs one of them.
    rules: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
