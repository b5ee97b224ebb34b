"""How is one result told to the LIS? Its value as measured, how final it is, and that nobody looked at it; or that it is taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp
from labmw.model import Flag, Specimen
from labmw.store.transaction import Row
from protocols.hl7.datatypes import Code, EntityId, Organisation, Person
from protocols.hl7.report import AutoRelease, Comment, Observation
from protocols.hl7.values import Numeric, Text, Value

FLAGS = {
    Flag.LOW: "L",
    Flag.HIGH: "H",
    Flag.CRITICAL_LOW: "LL",
    Flag.CRITICAL_HIGH: "HH",
    Flag.BELOW_RANGE: "<",
    Flag.ABOVE_RANGE: ">",
    Flag.ABNORMAL: "A",
    Flag.NORMAL: "N",
}
"""Table 0078. The other flags are the laboratory's business: they decide the verdict and do not leave."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How results are told to one LIS, about one tube. `before`: the tests of which it was told a result earlier."""

    zone: ZoneInfo
    auto_release_text: str
    validation: Literal["labmw", "lis"]
    withdrawn: str  # OBX-11 of a result that is taken back
    before: frozenset[str] = frozenset()

    def status(self, row: Row) -> str:
        """OBX-11. Where the LIS validates, what leaves here is technically validated and never final (P)."""
        if self.validation == "lis":
            return "P"
        return "C" if row.status == "C" or row.loinc in self.before else "F"

    def time(self, moment: datetime) -> str:
        """A moment as HL7 writes it, with the offset of the site."""
        return moment.astimezone(self.zone).strftime("%Y%m%d%H%M%S%z")


def observation(telling: Telling, row: Row, tube: Specimen | None, performed: Row | None = None) -> Observation:
    """A result with its verdict; `performed` says which other laboratory performed it."""
    flags = tuple(FLAGS[Flag(flag)] for flag in json.loads(row.flags) if Flag(flag) in FLAGS)
    comments = [*json.loads(row.comments), *json.loads(row.verdict_comments)]
    return Observation(
        code=_code(row),
        value=_value(row),
        unit=_unit(row),
        status=telling.status(row),
        sub_id=_run(row),
        range=row.range_raw.split("^")[0],
        flags=flags,
        observed=telling.time(tube.collected) if tube is not None and tube.collected else "",
        auto=_auto(telling, row) if row.decided_by == "rules" else None,
        responsible=Person(row.decided_by) if row.decided_by != "rules" else None,
        equipment=(EntityId(row.analyzer, row.driver),) if performed is None else (),
        analysed=telling.time(read_stamp(row.completed_at)) if row.completed_at else "",
        performer=_performer(performed) if performed is not None else None,
        director=Person("", performed.biologist) if performed is not None and performed.biologist else None,
        comments=tuple(Comment(text) for text in (*comments, *_accreditation(performed)) if text.strip()),
    )


def _performer(performed: Row) -> Organisation:
    """The laboratory that performed a result, with its number (OBX-23)."""
    number = performed.laboratory_id
    if not number:
        return Organisation(performed.laboratory, "D")
    return Organisation(performed.laboratory, "D", "ASIP-SANTE-ST", "1.2.250.1.71.4.2.2", "ISO", "FINEG", number)


def _accreditation(performed: Row | None) -> tuple[str, ...]:
    """HL7 2.5.1 has no field for it: the number goes in words."""
    if performed is None or not performed.accreditation:
        return ()
    return (f"COFRAC {performed.accreditation}",)


def withdrawn(telling: Telling, row: Row, taken_back: Row) -> Observation:
    """A result that a person takes back: no value any more, who said so, and why."""
    return Observation(
        code=_code(row),
        value=None,
        status=telling.withdrawn,
        sub_id=_run(row),
        responsible=Person(taken_back.by),
        equipment=(EntityId(row.analyzer, row.driver),),
        analysed=telling.time(read_stamp(row.completed_at)) if row.completed_at else "",
        comments=(Comment(taken_back.why),),
    )


def under_way(row: Row) -> Observation:
    """A test that was added here under a signed protocol, and has no result yet (OBX-11 I)."""
    return Observation(
        code=_code(row),
        value=None,
        status="I",
        comments=(Comment(f"Protocole signé / signed protocol: {row.protocol}"),),
    )


def _code(row: Row) -> Code:
    name = row.test_name or row.code
    return Code(row.loinc, name, "LN", row.code, name, "99LABMW")


def _run(row: Row) -> str:
    return row.run if row.run.isdecimal() else ""


def _unit(row: Row) -> Code | None:
    if row.unit:
        return Code(row.unit, row.unit_raw or row.unit, "UCUM")
    return Code("1", "1", "UCUM") if row.number else None


def _value(row: Row) -> Value:
    return Numeric(Decimal(row.number), row.comparator) if row.number else Text(row.value)


def _auto(telling: Telling, row: Row) -> AutoRelease:
    """Say that nobody looked at it (SC.DOC.09): with the pack that decided and who answers for it."""
    packs = json.loads(row.packs)
    name, _, rest = packs[0]["pack"].partition("@") if packs else ("", "", "")
    version = rest.partition("#")[0]
    return AutoRelease(telling.auto_release_text, name, version, Person("", packs[0]["signed_by"] if packs else ""))
