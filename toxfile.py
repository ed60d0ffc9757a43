"""The environments that `tox` runs without `-e`: nothing twice on its own Python, that of `py`."""

from __future__ import annotations

import sys

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    own = "py{}{}".format(*sys.version_info)
    default = core_conf["env_list"]
    default.envs = [name for name in default if name != own]
