"""Which test does the LIS mean? A LOINC code, or a code of its own that the laboratory has declared; nothing is guessed."""

from __future__ import annotations

import re

from labmw.driver.check import loinc_check_digit
from labmw.terms import LisTerms
from protocols.hl7.datatypes import Code

_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)


def tests_of(code: Code | None, terms: LisTerms) -> tuple[str, ...]:
    """The LOINC codes of a test or battery: as `[lis.tests]` says, else the LOINC code that stands in it; none when neither."""
    if code is None:
        return ()
    said = ((code.code.strip(), code.system), (code.local_code.strip(), code.local_system))
    for text, _ in said:
        if text in terms.tests:
            return terms.tests[text]
    for text, system in said:
        if system == "LN" and _LOINC.fullmatch(text) and loinc_check_digit(text):
            return (text,)
    return ()


def name_of(code: Code | None) -> str:
    """What the LIS calls a test."""
    if code is None:
        return ""
    return code.text or code.local_text or code.code or code.local_code
