"""Authentication by token, with the authenticator that comes with PyCOM."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycom_core import Identity
from pycom_core.testing import AuthenticationContract, LocalNetwork, SampleCredentials
from pycom_plugins.authentication.service import Authenticator


class TestContract(AuthenticationContract):
    @pytest.fixture
    def credentials(self, network: LocalNetwork, users_file: Path) -> SampleCredentials:
        service = network.serve(Authenticator, authenticator={"users": str(users_file)})
        context = network.context()
        context.authenticate("ann", "pw")
        token = context.token
        return SampleCredentials(
            "authentication_token",
            good={"org.pycom.auth": token},
            identity=Identity("ann", ("user",)),
            bad=[{"org.pycom.auth": bad} for bad in ("", "nobody's", token[:-1], f"{token} ")],
            breakdown=service.kill,
        )
