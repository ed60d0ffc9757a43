"""Lists of names, told from a single text."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_core._names import names


@pytest.mark.parametrize("given", [["a", "b"], ("a", "b"), dict.fromkeys("ab"), iter("ab")])
def test_several_names_are_a_tuple(given: Any) -> None:
    assert names(given, "roles") == ("a", "b")


def test_a_text_is_not_taken_for_its_letters() -> None:
    with pytest.raises(TypeError, match=r"roles must be several .* 'ab'; write \('ab',\)"):
        names("ab", "roles")


def test_what_is_no_name_is_shown() -> None:
    with pytest.raises(TypeError, match=r"roles must be names, not \['a', 3\], which has 3"):
        names(["a", 3], "roles")  # type: ignore[list-item]
