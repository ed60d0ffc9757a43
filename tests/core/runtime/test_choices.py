"""The choice among contributed objects: unfit ones stop the start."""

from __future__ import annotations

import pytest
from faulty import FAMILIES, Faulty, named

from pycom_core import ConfigurationError, PluginError

family = pytest.mark.parametrize("key", FAMILIES)

#: Factories that are wrong, and what is said of them.
UNFIT = {
    "gives None": ("make = lambda url: None", "not None"),
    "gives a class": ("make = lambda url: Fit", "not <class 'module_bad.Fit'>"),
    "is async": ("async def make(url): return Fit()", "not async"),
    "takes no URL": ("make = lambda: Fit()", "takes one argument, the URL"),
    "raises": ("def make(url): raise KeyError('lost')", "KeyError: 'lost'"),
    "abstract class": ("make = Abstract", "abstract class Abstract"),
    "a method of another kind": ("make = Unfit", "and has another"),
}


@family
@pytest.mark.parametrize(("more", "reason"), UNFIT.values(), ids=UNFIT)
def test_contribution_that_is_unfit_stops_the_start(
    key: str, more: str, reason: str, faulty: Faulty
) -> None:
    faulty.contribute(key, more)
    with pytest.raises(PluginError) as caught:
        faulty.serve(key)
    said = str(caught.value)
    for part in ("'bad' of dist-bad 1.0", reason, "Fix or uninstall it, or "):
        assert part in said
    assert "nameserver_service" not in said


@pytest.mark.parametrize("key", ["nameserver_backend", "session_store"])
def test_guarantees_that_are_none_stop_the_start(key: str, faulty: Faulty) -> None:
    faulty.contribute(key, "class Vague(Fit): guarantees = frozenset()\nmake = Vague")
    with pytest.raises(PluginError) as caught:
        faulty.serve(key)
    for part in ("dist-bad 1.0", f"the {key} 'bad'", "frozenset(); write Guarantee.NONE"):
        assert part in str(caught.value)


@family
def test_object_that_cannot_even_be_looked_at_stops_the_start(key: str, faulty: Faulty) -> None:
    source = "class make(Fit):\n    @property\n    def guarantees(self): raise OSError('disk full')"
    faulty.contribute(key, source)
    with pytest.raises(PluginError) as caught:
        faulty.serve(key)
    named(str(caught.value), f"the {key} 'bad', which cannot be made from its URL: OSError: disk")


@family
def test_contribution_that_refuses_its_url_says_so_itself(key: str, faulty: Faulty) -> None:
    source = "raise ConfigurationError('no such file')"
    faulty.contribute(
        key,
        f"from pycom_core import ConfigurationError\ndef make(url): {source}",
    )
    with pytest.raises(ConfigurationError) as caught:
        faulty.serve(key)
    assert str(caught.value) == "no such file"
