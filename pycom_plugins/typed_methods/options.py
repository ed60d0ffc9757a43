"""Options of the plugin in the configuration."""

from __future__ import annotations

import attrs

from pycom_core import Settings, settings


@attrs.frozen
class Options:
    """The options in the table `typed_methods`."""

    check_results: bool | None = None  #: None: in development


def checks_results(told: Settings) -> bool:
    """Tell whether results are checked. Raises `ConfigurationError`."""
    options = settings.table(told, "typed_methods", Options)
    return told.development if options.check_results is None else options.check_results
