"""How Sphinx builds the documentation of the installed PyCOM."""

from importlib.metadata import version as installed_version

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
