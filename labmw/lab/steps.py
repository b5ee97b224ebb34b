"""What does a LAW analyzer's report do to the AWOS it names? Looked up before its results are placed, kept in the same transaction after (law 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labmw.clock import stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.lab import awos
from labmw.lab.awos import State, StepSeen
from labmw.lab.placement import CONTROL, QUARANTINED, VERIFY, Known, Placement, registered_at
from labmw.line.received import Received
from labmw.store import schema, statements
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Transaction
from protocols.hl7.law_values import StatusChange


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one report, and the AWOS of ours that they name. Of any other message: none, and nothing is done."""

    site: str
    received: Received
    seen: tuple[StepSeen, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(site: str, received: Received) -> Transaction[Steps]:
        """Look up what a report names."""
        seen = awos.steps_of(received.change)
        names = sorted({one.awos for one in seen if one.awos} | {parent for one in seen for parent in one.parents})
        rows = (yield stored.awos_named(site, names)) if names else []
        return Steps(site, received, seen, {row.awos: row for row in rows})

    def with_controls(self, reading: Reading, known: Known) -> Transaction[tuple[Reading, Known]]:
        """A registered material makes a control: its identifier on the tube, or the control named beside the specimen (INV-1).

        SPM-11 = Q alone does not, some families send it for patients too; where a family means it, Q without such a material is a conflict
        for a person, as on any other line.
        """
        change = self.received.change
        if change is None:
            return reading, known
        beside = _named_beside(change)
        names = sorted({name for found in beside.values() for name in found})
        rows = (yield statements.material_windows(self.site, names)) if names else []
        registered = registered_at(rows, stamp(self.received.received_at))
        materials = known.materials | {tube for tube, found in beside.items() if found & registered}
        roles = {item.specimen.label.strip(): item.specimen.role for item in change.specimens}
        marked = {tube for tube, role in roles.items() if role is not None and role.code == "Q"}
        results = tuple(
            replace(one, control=True) if one.specimen in materials and one.specimen in marked else one
            for one in reading.results
        )
        return replace(reading, results=results), replace(known, materials=materials)

    def objecting(self, reading: Reading, placements: Sequence[Placement]) -> list[Placement]:
        """Put in quarantine what answers an AWOS that we do not know, that is another tube's, or that was cancelled."""
        against = awos.objections(self.seen, self.known)
        found: list[Placement] = []
        for read, one in zip(reading.results, placements, strict=True):
            objection = against.get(read.record)
            if objection and one.state not in (CONTROL, QUARANTINED) and (one.repeat_of is None or one.supersedes):
                reason, facts = objection
                one = replace(one, state=QUARANTINED, reason=reason, facts=facts, supersedes=False)  # noqa: PLW2901
            found.append(one)
        return found

    def keep(
        self, reading: Reading, message: int, placements: Sequence[Placement], numbers: Sequence[int], at: str
    ) -> Transaction[tuple[str, ...]]:
        """Move the AWOS on, tie results to them, and take the same work back from other analyzers once one has done it (LAW-001).

        Returns the states that AWOS have come to.
        """
        moved: list[str] = []
        placed = {
            read.record: (one, number) for read, one, number in zip(reading.results, placements, numbers, strict=True)
        }
        for tube, loincs in _measured(reading, placements).items():
            yield stored.orders_done(self.site, tube, sorted(loincs))
        yield from self._keep_contributions(reading, numbers)
        change = self.received.change
        if change is None:
            return ()
        yield from self._see_tubes(change, at)
        for step in self.seen:
            row = self.known.get(step.awos)
            if step.at_analyzer and step.reflex:
                number = yield from self._child(step, at)
            elif row is None or (step.specimen and row.specimen != step.specimen):
                continue
            else:
                number = row.id
                state = yield from self._move(row, step, placed, at)
                moved += [state] if state != row.state else []
            ties = [
                {"site": self.site, "awos": number, "result": placed[place][1], "message": message, "status": status}
                for place, status in step.observations.items()
                if place in placed
            ]
            if ties:
                yield statements.insert_rows_once(schema.awos_result, ties)
        return tuple(moved)

    def _keep_contributions(self, reading: Reading, numbers: Sequence[int]) -> Transaction[None]:
        """With what each result was measured."""
        rows = [
            {
                "site": self.site,
                "result": number,
                "kind": kind,
                "name": name,
                "lot": lot,
                "expiry": expiry,
                "status": status,
                "opened": opened,
            }
            for read, number in zip(reading.results, numbers, strict=True)
            for kind, name, lot, expiry, status, opened in contributions(read, device=self.received.change is not None)
        ]
        if rows:
            yield statements.insert_rows_once(schema.contribution, rows)

    def _move(self, row: Any, step: StepSeen, placed: Mapping[int, tuple[Placement, int]], at: str) -> Transaction[str]:
        state = awos.reported(row.state, step)
        results = [placed[place][0] for place in step.observations if place in placed]
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            resulted_at=row.resulted_at or (at if results else None),
            closed_at=at if state in awos.CLOSED and not row.closed_at else row.closed_at,
            updated_at=at,
        )
        if state == State.RESULTED and row.order is not None and any(one.state == VERIFY for one in results):
            for other in (yield stored.others_live([row.order], row.link)):
                yield from cancel_step(other, awos.DONE_ELSEWHERE, at)
        return state

    def _child(self, step: StepSeen, at: str) -> Transaction[int]:
        """A test that the analyzer added by itself, under its parent."""
        name = awos.child_name(self.site, self.received.link, step)
        parent = next((self.known[one] for one in step.parents if one in self.known), None)
        row = {
            "link": self.received.link,
            "specimen": step.specimen or (parent.specimen if parent else ""),
            "patient": parent.patient if parent else "",
            "code": step.code,
            "test_name": step.name,
            "state": awos.reported(State.ACCEPTED, step),
            "parent": " ".join(step.parents),
            "resulted_at": at,
            "updated_at": at,
        }
        rows = yield statements.insert_once(schema.awos, site=self.site, awos=name, created_at=at, **row)
        if not rows:  # reported before
            rows = yield stored.awos_named(self.site, [name])
            yield stored.change(schema.awos, rows[0].id, state=row["state"], updated_at=at)
        return int(rows[0].id)

    def _see_tubes(self, change: StatusChange, at: str) -> Transaction[None]:
        for item in change.specimens:
            tube = item.specimen
            for kind, carrier, position in (
                ("rack", tube.carrier, tube.position),
                ("tray", tube.tray, tube.tray_position),
            ):
                if carrier and tube.label:
                    yield from see_tube(self.site, kind, carrier, position, tube.label.strip(), self.received.link, at)


def cancel_step(row: Any, reason: str, at: str) -> Transaction[None]:
    """Take an AWOS back: at once where the analyzer cannot have it, else it is asked (ORC-1 CA)."""
    if row.state not in awos.LIVE or row.wanted == "CA" or row.reason == reason:
        return
    if row.state == State.PLANNED:
        yield stored.change(
            schema.awos, row.id, state=State.CANCELLED, wanted="", reason=reason, closed_at=at, updated_at=at
        )
    else:
        yield stored.change(schema.awos, row.id, wanted="CA", reason=reason, updated_at=at)


def see_tube(site: str, kind: str, carrier: str, position: str, specimen: str, link: str, at: str) -> Transaction[None]:
    """Remember where an analyzer has seen a tube."""
    yield statements.insert_or_update(
        schema.tube_place,
        site=site,
        kind=kind,
        carrier=carrier,
        position=position,
        specimen=specimen,
        link=link,
        seen_at=at,
    )


def contributions(read: ResultRead, *, device: bool) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Kind, name, lot, expiry, status and first use of every material behind a result; of the device only where LAW says which it is."""
    if device and read.instrument:
        yield "device", read.instrument, "", "", "", ""
    for one in read.contributing:
        yield one.kind or "OT", one.name, one.lot, one.expiry, " ".join(one.status), one.opened


def _measured(reading: Reading, placements: Sequence[Placement]) -> dict[str, set[str]]:
    """Which tests of which tubes have a result that goes to the rules."""
    found: dict[str, set[str]] = {}
    for read, one in zip(reading.results, placements, strict=True):
        # Sent again whole after it had come broken off, a result leaves quarantine and counts as new (supersedes).
        if one.state == VERIFY and (one.repeat_of is None or one.supersedes):
            found.setdefault(read.specimen, set()).add(read.loinc)
    return found


def _named_beside(change: StatusChange) -> dict[str, set[str]]:
    return {
        item.specimen.label.strip(): set(item.specimen.control_names)
        for item in change.specimens
        if item.specimen.control_names
    }
