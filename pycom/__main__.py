"""`python -m pycom`: run a service."""

from __future__ import annotations

from pycom_core.cli import module_main

if __name__ == "__main__":
    module_main()
