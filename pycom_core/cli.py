"""Public: the building blocks of `pycom`'s commands, for plugins that add some.

`main` is the program itself.
"""

from __future__ import annotations

from pycom_core.process._arguments import named_values as named_values
from pycom_core.process._arguments import refuse_unknown as refuse_unknown
from pycom_core.process._cli import main as main
from pycom_core.process._cli import module_main as module_main
from pycom_core.process._cli import service_main as service_main
from pycom_core.process._options import Positive as Positive
from pycom_core.process._options import check_nameserver as check_nameserver
from pycom_core.process._options import check_service as check_service
from pycom_core.process._options import client_context as client_context
from pycom_core.process._options import configured as configured
from pycom_core.process._options import located as located
from pycom_core.process._options import options as options
from pycom_core.process._output import Destination as Destination
from pycom_core.process._output import print_json as print_json
from pycom_core.process._output import print_table as print_table
from pycom_core.process._output import printable as printable
from pycom_core.process._output import signature as signature
from pycom_core.process._output import write_file as write_file
from pycom_core.process._program import Extensible as Extensible
from pycom_core.process._program import run_as_all as run_as_all
