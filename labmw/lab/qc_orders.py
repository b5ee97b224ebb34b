"""Which controls is an analyzer to measure? A person orders them of a LAW analyzer: an AWOS of a registered material, without an order of the LIS (decision 0093).

What an AWOS is to a patient's tube it is to a control's: planned, said once under an identity of its own, answered, resulted; it can be cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

from labmw.clock import read_stamp
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.deciding import Decision
from labmw.lab.law_orders import Control, LawLink, Tube
from labmw.lab.rights import Undecidable
from labmw.store import schema, statements
from labmw.store.statements import control as controls
from labmw.store.statements import worklist as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction
from protocols.hl7.datatypes import Code

_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What was ordered: identity and name of each test, and whether the analyzer is told at once."""

    tests: tuple[tuple[str, str], ...]
    told: bool


def order_control(decision: Decision, link: LawLink, material: str, tests: Sequence[str]) -> Transaction[Ordered]:
    """Order tests (LOINC) of a control; without any, all that have a target for it on this analyzer. Raises Undecidable, and nothing is ordered."""
    if (yield from control_of(decision.site, material, decision.at)) is None:
        raise Undecidable("qc-material-unknown", material=material)
    wanted = list(dict.fromkeys(tests)) or (yield from _with_target(decision.site, link, material))
    if not wanted:
        raise Undecidable("qc-order-no-test", material=material, analyzer=link.name)
    there = yield stored.awos_of_specimen(decision.site, material)
    live = {row.loinc for row in there if row.link == link.name and row.state in awos.LIVE}
    made: list[tuple[str, str]] = []
    for test in wanted:
        code = _code(link, test)
        if code is None:
            raise Undecidable("qc-order-unknown-test", test=test, analyzer=link.name)
        if test in live:
            raise Undecidable("qc-order-there", test=test, material=material, analyzer=link.name)
        name = awos.new_name()
        row = {
            "link": link.name,
            "specimen": material,
            "loinc": test,
            "code": code.code,
            "test_name": code.text,
            "state": State.PLANNED,
            "wanted": "NW" if link.push else "",
        }
        yield statements.insert(
            schema.awos, site=decision.site, awos=name, created_at=decision.at, updated_at=decision.at, **row
        )
        made.append((name, code.text))
    yield audited(
        decision.site,
        at=decision.at,
        who=decision.by,
        what="qc-order",
        subject=f"qc/{material}",
        why=decision.why,
        analyzer=link.name,
        tests=wanted,
        awos=[name for name, _ in made],
    )
    return Ordered(tuple(made), link.push)


def control_of(site: str, identifier: str, at: str) -> Transaction[Control | None]:
    """The registered material of this identifier at a moment, with the lot that is in use; None for a patient's tube."""
    rows = [row for row in (yield controls.lots_among(site, [identifier])) if _in_use(row, at)]
    if not any(row.lot == "" for row in rows):
        return None
    named = next((row.name for row in rows if row.name), "")
    lot = next((row for row in rows if row.lot), None)
    expiry = read_stamp(lot.valid_to) if lot is not None and lot.valid_to else None
    return Control(identifier, named or identifier, lot.lot if lot is not None else "", expiry)


def with_control(site: str, tube: Tube, at: str) -> Transaction[Tube]:
    """The same tube, as the control that it is; a patient's stays as it is."""
    control = yield from control_of(site, tube.identifier, at)
    return tube if control is None else replace(tube, control=control)


def ordered_of(site: str, link: LawLink, tube: Tube) -> Transaction[list[Row]]:
    """The tests ordered of a control of which the analyzer is not known to have been told."""
    rows = yield stored.awos_of_specimen(site, tube.identifier)
    return [row for row in rows if row.order is None and row.link == link.name and row.state in awos.UNSAID]


def _with_target(site: str, link: LawLink, material: str) -> Transaction[list[str]]:
    """The tests with a target for this material on this analyzer or on all; a target by serial number is no analyzer's name here."""
    rows = yield controls.targets_open(site)
    tests = [row.test for row in rows if row.material == material and row.analyzer in ("", link.name)]
    return [test for test in dict.fromkeys(tests) if _code(link, test) is not None]


def _code(link: LawLink, test: str) -> Code | None:
    if not _LOINC.fullmatch(test):  # an analyzer that takes LOINC codes as they are would be given anything
        return None
    return link.code_of(SimpleNamespace(loinc=test, test_name=""))


def _in_use(row: Row, at: str) -> bool:
    return row.valid_from <= at and (row.valid_to is None or row.valid_to > at)
