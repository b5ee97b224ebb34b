"""Arkray SPOTCHEM EL SE-1520 electrolyte analyzer, one line of plain text between STX and ETX (protocol = "stx").

    24/10/29 13:08 ID# 1DC042FP   [B. Plasma] Na       131  mmol/L K        9.7  mmol/L Cl        96  mmol/L

Nothing in it says who sends: the link's configuration names the driver. Nothing checks it either, so that it is read to the letter: one that has
another shape is kept whole and quarantined. The date is year, month, day. What was measured stands in brackets; its codes hold for plasma.

Source: one published message of a SPOTCHEM EL (senaite.astm, tests/data/spotchem_el.txt), which is not ours to ship. No document of the maker was read.
Evidence: unverified.
"""

import re

from labmw.driver.declaration import Evidence, Field, Test
from labmw.driver.laying import Laid, NotUnderstood, PlainDriver, Sheet, check_length
from protocols.plain.message import PlainMessage

_HEAD = re.compile(r"\s*(\d\d)/(\d\d)/(\d\d)\s+(\d\d):(\d\d)\s+ID#\s*(\S*)\s+\[([^\]]*)\]\s*", re.ASCII)
_VALUE = re.compile(r"(Na|K|Cl)\s+(\S+)\s+(mmol/L|mEq/L)\s*")


def _layout(message: PlainMessage) -> Laid:
    (text,) = message.decoded() if len(message.texts) == 1 else ("",)
    check_length([text], 1024)
    head = _HEAD.match(text)
    if head is None:
        raise NotUnderstood("it does not begin with date, time, ID# and [material]")
    year, month, day, hour, minute, specimen, material = head.groups()
    sheet = Sheet()
    sheet.line()
    sheet.piece(text)
    sheet.record("H", f5="")
    sheet.record("P", f2="1")
    sheet.record("O", f2="1", f3=specimen, f16=material)
    at, number = head.end(), 0
    while at < len(text):
        found = _VALUE.match(text, at)
        if found is None:
            raise NotUnderstood(f"{text[at : at + 20]!r} is no electrolyte with a value and a unit")
        number += 1
        time = f"20{year}{month}{day}{hour}{minute}"
        sheet.record("R", f2=str(number), f3=("", "", "", found[1]), f4=found[2], f5=found[3], f9="F", f13=time)
        at = found.end()
    return sheet.laid()


DRIVER = PlainDriver(
    name="arkray-spotchem-el",
    protocol="stx",
    maker="Arkray",
    models=("SPOTCHEM EL SE-1520",),
    evidence=Evidence.UNVERIFIED,
    layout=_layout,
    material=(Field("O", 16),),
    materials=frozenset({"B. Plasma"}),
    flags={},
    tests={
        "Na": Test("2951-2", "mmol/L", ("meq/L",), "Sodium"),
        "K": Test("2823-3", "mmol/L", ("meq/L",), "Potassium"),
        "Cl": Test("2075-0", "mmol/L", ("meq/L",), "Chlorure"),
    },
)
