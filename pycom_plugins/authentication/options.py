"""What the configuration may say to the plugins that authenticate and authorize."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


def _not_negative(_instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must not be negative")


@attrs.frozen
class TokenOptions:
    """What the table `authentication_token` holds."""

    #: s for which a token that was found good is not asked for again, so for which it may
    #: outlive its end; 0 asks at each call.
    cache_lifetime: float = attrs.field(default=5.0, validator=_not_negative)


@attrs.frozen
class RoleOptions:
    """What the table `authorization_roles` holds."""

    #: Pattern of interfaces or methods → roles of which a caller needs one.
    rules: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
