"""LOINC codes: the check digit, and finding them in the text of a pack that cannot be read."""

from __future__ import annotations

import pytest

from rules.vocabulary import is_loinc, loincs_in


@pytest.mark.parametrize("code", ["2823-3", "718-7", "20447-9", "94500-6", "6690-2"])
def test_right_codes(code: str) -> None:
    assert is_loinc(code)


@pytest.mark.parametrize("code", ["2823-4", "2832-3", "", "K", "2823", "2823-33", "-3", "12345678-9", "٢٨٢٣-3"])
def test_wrong_codes(code: str) -> None:
    assert not is_loinc(code)


def test_codes_in_a_broken_text() -> None:
    assert loincs_in('K = ["2823-3" oops 718-7, 2823-4, 2026-04-01, 1-2823-3') == {"2823-3", "718-7"}
