"""Siemens RAPIDPoint and RAPIDLab blood gas analyzers, texts of named fields on a link of their own (protocol = "rapid").

A result is SMP_NEW_DATA, or SMP_EDIT_DATA where a person has changed it, which is for a person here too. Fields that begin with m were measured, with c
calculated: each has its value, its unit and what is wrong with it. iPID is what the host programs use as the tube; rSEQ is the analyzer's own number.
A control (QC_NEW_DATA) names its material in iQID with level and lot beside it, and the limits that belong to it, which are no results. The date is day,
month in English and year (21Jul03). What was drawn (rDEVICE, arterial or venous) is not always said: LOINC codes would hold for one of them, and none is
mapped.

Orders: it takes none. It asks for a patient's data (PAT_DEMOG_REQ), which is stored and not answered.

Source: as protocols.plain.rapid, and two messages of a RAPIDLab (2003) quoted in one of these programs. No document was read.
Evidence: unverified.
"""

import re

from labmw.driver.declaration import Evidence, Field
from labmw.driver.laying import Laid, NotUnderstood, PlainDriver, Sheet, check_length
from protocols.plain.message import PlainMessage
from protocols.plain.rapid import fields_of, kind_of

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = re.compile(r"(\d{1,2})([A-Za-z]{3})(\d{4}|\d{2})", re.ASCII)
_CLOCK = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def _moment(day: str, clock: str) -> str:
    """YYYYMMDDHHMM(SS); as sent where it is none."""
    date, time = _DAY.fullmatch(day), _CLOCK.fullmatch(clock)
    if date is None or time is None or date[2].lower() not in _MONTHS:
        return f"{day} {clock}".strip()
    year = date[3] if len(date[3]) == 4 else f"20{date[3]}"
    return f"{year}{_MONTHS.index(date[2].lower()) + 1:02}{int(date[1]):02}{time[1]}{time[2]}{time[3] or ''}"


def _layout(message: PlainMessage) -> Laid:
    if len(message.texts) != 1:
        raise NotUnderstood("several texts, where a result is one")
    (text,) = message.decoded()
    check_length([text], 65536)
    kind, pairs = kind_of(message.texts[0]), fields_of(text)
    if kind.partition("_")[0] not in ("SMP", "QC") or not pairs:
        raise NotUnderstood(f"{kind[:32]!r} holds no result of a sample or a control")
    told: dict[str, str] = {}
    for name, values in pairs:
        if name[:1] in "air" and values and told.setdefault(name, values[0]) != values[0]:
            raise NotUnderstood(f"{name[:20]} comes twice with two values")
    control = kind.startswith("QC") or told.get("rTYPE", "") == "QC"
    edited = kind.endswith("_EDIT_DATA")
    material = (told.get("iQID", ""), told.get("iQLEV", ""), told.get("iQLOT", ""))
    sheet = Sheet()
    sheet.line()
    sheet.piece(kind)
    sheet.record("H", f5=(told.get("aMOD", ""), told.get("iIID", "")), f12="Q" if control else "P")
    sheet.record("P", f2="1")
    tube = material if control else told.get("iPID", "")
    sheet.record("O", f2="1", f3=tube, f4=told.get("rSEQ", ""), f12="Q" if control else "")
    at = _moment(told.get("rDATE", ""), told.get("rTIME", ""))
    known = {"aMOD", "iIID", "iPID", "rSEQ", "rDATE", "rTIME", "rTYPE", "iQID", "iQLEV", "iQLOT"}
    number = 0
    for name, (value, *rest) in ((name, values or ("",)) for name, values in pairs):
        result = name[:1] in "mc" and len(name) > 1
        sheet.line()
        sheet.piece(f"{name} {value}", placed=result or name in known)
        if result:
            number += 1
            unit, wrong = [*rest, "", ""][:2]
            flags = [[one] for one in wrong.split("\x17") if one]
            code = ("", "", "", name)
            sheet.record(
                "R", f2=str(number), f3=code, f4=value, f5=unit, f7=flags or "", f9="W" if edited else "F", f13=at
            )
    return sheet.laid()


DRIVER = PlainDriver(
    name="siemens-rapidpoint",
    recognises=r"^\d{3,4}\^",
    protocol="rapid",
    maker="Siemens",
    models=("RAPIDPoint 400", "RAPIDPoint 500", "RAPIDLab 800", "RAPIDLab 1200"),
    evidence=Evidence.UNVERIFIED,
    layout=_layout,
    serial=Field("H", 5, 2),
    flags={},
    units={"mmHg": "mm[Hg]"},
)
