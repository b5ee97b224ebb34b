"""Roche cobas IT middleware in front of laboratory lines (cobas 8000), OUL^R21 of HL7 2.4: qualitative code and index in one text.

`1\\S\\2.14` is one component that holds a caret: the code 1 (reactive; -1 not reactive) and the index 2.14, which is the number. `34\\S\\` has
no second part and no number, `???\\S\\???` is no result. Where a sender forgot the escape, the caret splits the field and stands for the same.
The test codes are each laboratory's own: none is mapped here, so every result goes to quarantine until the laboratory's own driver file says
what its codes mean. The specimen is in SAC-3; there is no SPM. Neither reply is wanted (MSH-15 and MSH-16 NE).

Source: the capture below (software 1.10).
Evidence: capture (corpus:hl7/citm/result.hl7).
"""

from labmw.driver.declaration import Evidence, Hl7Driver, Measure


def measure(text: str) -> Measure:
    """The index behind the caret; a text without one is read whole."""
    code, caret, index = text.partition("^")
    return Measure(index if caret else text, missing=code == "???" or (bool(caret) and not index))


DRIVER = Hl7Driver(
    name="roche-citm",
    recognises=r"^Roche Diagnostics\|cITm ",
    maker="Roche",
    models=("cobas IT middleware",),
    evidence=Evidence.CAPTURE,
    measure=measure,
)
