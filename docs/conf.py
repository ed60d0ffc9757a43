"""The configuration of Sphinx, which documents the installed PyCOM."""

import json
from importlib.metadata import version as installed_version

from sphinx.util.docutils import SphinxDirective

from pycom_core import settings

project = "PyCOM"
author = "The PyCOM developers"
copyright = f"2026, {author}"
release = version = installed_version("pycom")

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = f"PyCOM {release}"


class SettingsTable(SphinxDirective):
    """The table of all settings, from the kernel's own description."""

    def run(self):
        """Make the table."""
        defaults = json.loads(json.dumps(settings.plain(settings.Settings(development=False))))
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 20 60", ""]
        lines += ["   * - setting", "     - default", "     - meaning"]
        for name in settings.names():
            lines.append(f"   * - ``{name}``")
            lines.append(f"     - ``{json.dumps(defaults[name])}``")
            lines.append(f"     - {settings.about(name)}")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Add the directive of the settings."""
    app.add_directive("settings", SettingsTable)
