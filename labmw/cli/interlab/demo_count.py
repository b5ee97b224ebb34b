"""Did every tube end where it must, and do both stores and both wires say the same? Counted from outside, with plain SQL and what the LIS has written down."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labmw.cli.interlab.demo_stage import Stage
from protocols.hl7.ilw_results import REPORT
from protocols.hprim_hl7 import to_hprim

LOINC = {"ALTT": "1742-6", "CKK": "2157-6"}
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """What one store holds."""

    sub_orders: Rows
    results: Rows
    documents: Rows
    sent: Rows  # outbox to the partner
    received: Rows  # messages of the partner
    delivered: Rows  # outbox to the LIS


@dataclass(frozen=True, slots=True)
class TubeCounted:
    """One tube, and what does not agree about it."""

    tube: str
    case: str
    a: str
    b: str
    result: str
    documents: int
    lis: tuple[str, ...]  # value and status, as the LIS got them
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """Everything counted."""

    tubes: tuple[TubeCounted, ...]
    a_to_b: tuple[int, int]  # messages that A has sent, and that B has received
    b_to_a: tuple[int, int]
    wires: tuple[str, ...] = field(default=())  # what differs on them

    @property
    def well(self) -> bool:
        """Whether everything agrees and every planted case ended where it must."""
        return not self.wires and not any(one.problems for one in self.tubes)


def read_side(stage: Stage, side: str) -> Side:
    """Everything that one store holds of the exchange."""
    partner = "LABO-B" if side == "a" else "LABO-A"
    role = "requester" if side == "a" else "subcontractor"
    uri = f"{stage.store(side).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as database:
        database.row_factory = sqlite3.Row

        def ask(sql: str, *values: object) -> Rows:
            return [dict(row) for row in database.execute(sql, values)]

        return Side(
            ask("SELECT * FROM sub_order WHERE role = ? ORDER BY id", role),
            ask("SELECT * FROM result ORDER BY id"),
            ask(
                "SELECT d.*, s.number, s.specimen FROM partner_document d JOIN sub_order s ON s.id = d.sub_order ORDER BY d.id"
            ),
            ask("SELECT * FROM outbox WHERE destination = ? ORDER BY id", partner),
            ask("SELECT * FROM message WHERE link = ? ORDER BY id", f"{partner} messages"),
            ask("SELECT * FROM outbox WHERE destination = 'SIL' ORDER BY id"),
        )


def count(stage: Stage) -> Counted:
    """Hold both stores, both wires and the LIS against the plan."""
    a, b = read_side(stage, "a"), read_side(stage, "b")
    lis: Mapping[str, Any] = json.loads((stage.folder / "lis.json").read_text(encoding="utf-8"))
    heard: dict[str, list[tuple[str, str]]] = {}
    for one in lis["observations"]:
        if one["loinc"] == REPORT.code:
            continue  # the report that goes along
        heard.setdefault(one["specimen"], []).append((str(one.get("value") or ""), str(one.get("status") or "")))
    tubes = tuple(_tube(one, a, b, heard.get(one["tube"], [])) for one in stage.plan)
    return Counted(
        tubes,
        (len(a.sent), len(b.received)),
        (len(b.sent), len(a.received)),
        (
            *_wire("A>B", a.sent, b.received, stage.envelope),
            *_wire("B>A", b.sent, a.received, stage.envelope),
            *_strangers(stage, a, b),
        ),
    )


def _wire(name: str, sent: Rows, received: Rows, envelope: str) -> Iterator[str]:
    """What one side has sent is what the other has, byte for byte, and so are the answers."""
    if any(row["state"] != "delivered" for row in sent):
        yield f"{name}: {sum(row['state'] != 'delivered' for row in sent)} not delivered"
    went = Counter((row["payload"], row["receipt"]) for row in sent if row["state"] == "delivered")
    came = Counter((row["raw"], _as_answered(row, envelope)) for row in received)
    for what, more in (("sent and not received", went - came), ("received and not sent", came - went)):
        if more:
            yield f"{name}: {sum(more.values())} {what}"


def _as_answered(row: Mapping[str, Any], envelope: str) -> bytes:
    """The answer to a message as it went out: over files it lies under the name of the file that it answers."""
    reply: bytes = row["reply"]
    return to_hprim(reply, f"{Path(row['peer']).stem}.ACK") if envelope == "hprim" else reply


def _strangers(stage: Stage, a: Side, b: Side) -> Iterator[str]:
    planned = {one["tube"] for one in stage.plan}
    for name, side in (("A", a), ("B", b)):
        if strange := {row["specimen"] for row in (*side.sub_orders, *side.results)} - planned:
            yield f"{name}: {', '.join(sorted(strange))} planned by nobody"
        numbers = Counter(row["number"] for row in side.sub_orders)
        if twice := [number for number, times in numbers.items() if times > 1]:
            yield f"{name}: {', '.join(twice)} twice"


def _tube(one: Mapping[str, Any], a: Side, b: Side, heard: Sequence[tuple[str, str]]) -> TubeCounted:
    tube, expect = one["tube"], one["expect"]
    ours = [row for row in a.sub_orders if row["specimen"] == tube]
    theirs = [row for row in b.sub_orders if row["specimen"] == tube]
    results = [row for row in a.results if row["specimen"] == tube]
    newest = {row["loinc"]: row for row in results}
    documents = [row for row in a.documents if row["specimen"] == tube and row["whole"]]
    states = (", ".join(row["state"] for row in ours), ", ".join(row["state"] for row in theirs))
    found = ", ".join(sorted({row["state"] for row in newest.values()}))
    problems = [
        *_expected("A", states[0], expect["a"]),
        *_expected("B", states[1], expect["b"]),
        *_expected("result", found, expect["result"]),
        *_values(one, newest, [row for row in b.results if row["specimen"] == tube]),
        *_documents(expect["document"], documents, [row for row in b.documents if row["specimen"] == tube]),
        *_at_the_lis(results, heard),
    ]
    if expect["a"] in ("refused", "returned") and not (ours and ours[0]["reason"]):
        problems.append("no reason is kept")
    if one["returned"] and ours and one["returned"] not in ours[0]["reason"].split():
        problems.append(f"reason {ours[0]['reason']!r} instead of {one['returned']}")
    told = tuple(f"{value} {status}".strip() for value, status in heard)
    return TubeCounted(tube, one["case"], states[0], states[1], found, len(documents), told, tuple(problems))


def _expected(what: str, found: str, expected: str) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found or '–'} instead of {expected or '–'}"


def _values(one: Mapping[str, Any], newest: Mapping[str, Any], theirs: Rows) -> Iterator[str]:
    """The value that A has is the last one that B's analyzer has measured, to the letter."""
    measured: dict[str, str] = {}
    for turn in one["rounds"]:
        measured |= {LOINC[code]: value for code, value in turn}
    if set(newest) != set(measured):
        yield f"tests {sorted(newest)} instead of {sorted(measured)}"
        return
    stored = {row["loinc"]: row["value"] for row in theirs if row["loinc"]}
    for loinc, value in measured.items():
        if not newest[loinc]["value"] == stored.get(loinc) == value:
            yield f"{loinc}: {newest[loinc]['value']} at A, {stored.get(loinc)} at B, {value} measured"


def _documents(expected: bool, ours: Rows, theirs: Rows) -> Iterator[str]:
    """Every report that B printed is at A, whole."""
    if bool(ours) != expected:
        yield f"{len(ours)} reports at A"
    if {row["digest"] for row in ours} != {row["digest"] for row in theirs}:
        yield "the reports at A are not those of B"


def _at_the_lis(results: Rows, heard: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What A has released is at its LIS once; what it recalled is withdrawn there; nothing else is."""
    given = Counter(row["value"] for row in results if row["state"] in ("delivered", "withdrawn"))
    got = Counter(value for value, status in heard if status not in ("X", "D") and value)
    if given != got:
        yield f"LIS has {dict(got)} instead of {dict(given)}"
    recalled = sum(row["state"] == "withdrawn" for row in results)
    if sum(status in ("X", "D") for _, status in heard) != recalled:
        yield f"{recalled} recalled, and the LIS was not told of each"
