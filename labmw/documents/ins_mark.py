"""What does the Data Matrix of a national health identity (INS) say? The number with its authority and the strict traits, or nothing at all.

Source: public programs that write it after the format of the national agency (version 2.2, "IS" 01); the document itself was not at hand. A field that varies
in length ends with GS unless it is as long as it may be. Only a qualified identity has one, and only with every trait: none is made up.
"""

from __future__ import annotations

import re

from protocols.hl7.adt import Ins, read_identity
from protocols.hl7.datatypes import PersonName
from protocols.hl7.envelope import plain
from protocols.hl7.er7 import Segment

_HEADER = "IS01" + "0" * 22
_GS = "\x1d"
_MOST = 100  # characters of a name
_NAME = re.compile(r"[A-Z][A-Z '-]*")
_PLACE = re.compile(r"[0-9][0-9AB][0-9]{3}")  # INSEE: 2A and 2B are Corsica


def ins_mark(pid: str, ins: Ins | None) -> str:
    """The text of the Data Matrix; "" without a qualified INS, for one that is nobody's, and where a strict trait is missing or cannot be written."""
    if ins is None or not ins.sound or ins.fictitious or not pid:
        return ""
    identity = read_identity(Segment(pid))
    birth = next((one for one in identity.patient.names if one.type in ("L", "")), None)
    if birth is None:
        return ""
    family, given = _written(birth.family), _written(_given(birth))
    born, sex, place = identity.patient.birth[:8], identity.patient.sex, identity.birth_place
    if not (family and given and re.fullmatch(r"\d{8}", born) and sex in ("F", "M") and _PLACE.fullmatch(place)):
        return ""
    date = f"{born[6:8]}-{born[4:6]}-{born[:4]}"
    return (
        f"{_HEADER}S1{ins.number}S2{_varying(ins.oid, 20)}S3{_varying(given, _MOST)}S4{_varying(family, _MOST)}"
        f"S5{sex}S6{date}S7{place}"
    )


def _given(name: PersonName) -> str:
    """All given names of birth: XPN-3 holds them in messages that carry the traits of the INS, and XPN-2 the first."""
    return name.further or name.given


def _written(name: str) -> str:
    """A name as the format takes it: capitals without accents; "" for one with anything else in it."""
    text = " ".join(plain(name).upper().replace("’", "'").split())
    return text if _NAME.fullmatch(text) and len(text) <= _MOST else ""


def _varying(text: str, most: int) -> str:
    return text if len(text) == most else text + _GS
