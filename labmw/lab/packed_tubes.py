"""What does the packing list say of each tube in a box? Whose it is by the strict traits, what is asked, and the INS only where it may leave."""

from __future__ import annotations

from collections.abc import Sequence

from labmw.documents.ins_mark import ins_mark
from labmw.documents.packing_list import PackedTube
from labmw.lab.sub_orders import service_of
from labmw.partner import Partner
from labmw.phrases import Language, say
from labmw.store import statements
from labmw.store.statements import identities
from labmw.store.transaction import Row, Transaction
from protocols.hl7.adt import Ins


def packed_tubes(
    site: str, partner: Partner, inside: Sequence[tuple[Row, Sequence[Row]]], language: Language
) -> Transaction[tuple[PackedTube, ...]]:
    """A line for each tube, in the order in which they were scanned."""
    numbers = sorted({row.patient for _, rows in inside for row in rows if row.patient})
    patients = {row.identifier: row for row in (yield statements.patients_among(site, numbers))} if numbers else {}
    known: dict[str, Ins] = {}
    if numbers and partner.choices.ins:
        known = {row.patient: Ins(row.number, row.oid) for row in (yield identities.ins_of(site, numbers))}
    found = []
    for tube, rows in inside:
        number = next((row.patient for row in rows if row.patient), "")
        whose, ins = patients.get(number), known.get(number)
        state = "" if tube.state == "packed" else say(f"interlab-state-of-tube-{tube.state}", language)
        found.append(
            PackedTube(
                tube.specimen, tuple(service_of(row).text or service_of(row).code for row in rows), tuple(row.number for row in rows),
                state, _lines(whose, ins), ins_mark(whose.pid, ins) if whose is not None else "",
            )
        )  # fmt: skip
    return tuple(found)


def _lines(whose: Row | None, ins: Ins | None) -> tuple[str, ...]:
    """Name, birth and sex, INS with its nature."""
    if whose is None:
        return ("–",)
    birth = "/".join(reversed(whose.birth.split("-"))) if whose.birth else "–"
    named = f"{whose.family} {whose.given}".strip() or whose.identifier
    return (named, f"{birth} · {whose.sex or '–'}", *((f"INS {ins.number} ({ins.nature})",) if ins is not None else ()))
