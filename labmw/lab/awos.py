"""What state is an AWOS in, and what moves it? Pure: from what the analyzer says to the next state (IHE LAW; protocol notes C.11).

planned ──said──▶ broadcast ──OK──▶ accepted ──IP──▶ in-process ──results──▶ resulted
                      └──UA──▶ refused                    └──nothing could be measured──▶ not-performed
a cancellation is answered CR ──▶ cancelled, or UC ──▶ unable; results are taken in every state.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protocols.hl7.law_values import StatusChange, StepStatus


class State(StrEnum):
    """Where an AWOS stands; what the store keeps."""

    PLANNED = "planned"  # made, and nothing said
    BROADCAST = "broadcast"  # said, or about to be, and not answered
    ACCEPTED = "accepted"  # the analyzer has it
    REFUSED = "refused"  # the analyzer will not do it (UA)
    IN_PROCESS = "in-process"
    RESULTED = "resulted"
    CANCELLED = "cancelled"  # the analyzer has confirmed it, or never had it
    UNABLE = "unable"  # asked to cancel, the analyzer could not: results may come
    NOT_PERFORMED = "not-performed"  # nothing could be measured, or the operator removed it


LIVE = frozenset({State.PLANNED, State.BROADCAST, State.ACCEPTED, State.IN_PROCESS})
"""The analyzer may still work on it, or be given it."""
CLOSED = frozenset({State.REFUSED, State.RESULTED, State.CANCELLED, State.NOT_PERFORMED})
UNSAID = frozenset({State.PLANNED, State.BROADCAST})
"""Not known to be with the analyzer: a query gets it again, under the same identity (LAB28-006 allows no second use of one it has taken)."""
OFFERED_AGAIN = frozenset({State.REFUSED, State.NOT_PERFORMED, State.CANCELLED})
"""Its order is still open: a tube presented again gets the test under a new identity."""

UNANSWERED, TAKEN_AS_REPEAT, DONE_ELSEWHERE, REPLACED, ORDER_CANCELLED, ASKED = (
    "unanswered",
    "taken-as-repeat",
    "done-elsewhere",
    "replaced",
    "order-cancelled",
    "asked",
)
"""Why an AWOS is where it is, beside what the analyzer itself says; each has its phrase awos-reason-*."""


def new_name() -> str:
    """An identity that was never used before and never will be: 20 characters, which every analyzer takes (OBR-2)."""
    return uuid.uuid4().hex[:20].upper()


def is_child(name: str) -> bool:
    """Whether an identity was given to a test that the analyzer added: those that we give beforehand are hexadecimal."""
    return name.startswith("X")


def child_name(site: str, link: str, step: StepSeen) -> str:
    """The identity we give to a test that an analyzer added by itself: the same again when it reports it again."""
    told = "\x1f".join((site, link, step.specimen, step.code, *step.parents))
    return "X" + hashlib.sha256(told.encode()).hexdigest()[:19].upper()


def answered(state: str, control: str, status: str, *, sends: int, late: bool = False) -> tuple[str, str]:
    """The next state of an AWOS and why, by ORC-1 and ORC-5 of a reply; unchanged when the reply does not settle it.

    A state that results have brought stays: a reply can be slower than the work. An analyzer refuses an identity that it has seen
    (LAB28-006), so a UA to what was sent more than once says that an earlier one arrived. `late`: a commit acknowledgment has counted as
    acceptance, and the objection comes behind it (MSH-16 = ER).
    """
    if control == "CR":
        return State.CANCELLED, ""
    if control == "UC":
        return (state if state == State.RESULTED else State.UNABLE), ""
    if late and control == "UA" and state == State.ACCEPTED:
        return State.REFUSED, ""
    if state not in UNSAID:
        return state, ""
    if control == "OK":
        return (State.IN_PROCESS if status == "IP" else State.ACCEPTED), ""
    if control == "UA":
        return (State.ACCEPTED, TAKEN_AS_REPEAT) if sends > 1 else (State.REFUSED, "")
    return state, ""


@dataclass(frozen=True, slots=True)
class StepSeen:
    """One step of a report: what it says of which AWOS, and which segments of the message are its observations."""

    awos: str
    specimen: str
    code: str
    name: str
    status: str  # ORC-5
    reflex: bool
    at_analyzer: bool  # OBR-2 is the null, or empty: no work of ours
    parents: tuple[str, ...]
    observations: Mapping[int, str]  # place of the segment: OBX-11


def steps_of(change: StatusChange | None) -> tuple[StepSeen, ...]:
    """Every step of a report."""
    if change is None:
        return ()
    return tuple(_seen(item.specimen.label, step) for item in change.specimens for step in item.steps)


def _seen(specimen: str, step: StepStatus) -> StepSeen:
    awos = step.awos.id if step.awos and not step.at_analyzer else ""
    return StepSeen(
        awos=awos,
        specimen=specimen.strip(),
        code=step.test.code,
        name=step.test.text,
        status=step.status,
        reflex=step.reflex or bool(step.parents),
        at_analyzer=not awos,
        parents=tuple(parent.id for parent in step.parents),
        observations={one.place: one.status for one in step.observations},
    )


def reported(state: str, step: StepSeen) -> str:
    """The next state of an AWOS by what is reported of it; a cancelled one stays cancelled, its results are for a person."""
    if state == State.CANCELLED:
        return state
    statuses = set(step.observations.values())
    if statuses & {"F", "C"} or (statuses - {"X"} and step.status == "CM"):
        return State.RESULTED if step.status != "IP" or state == State.RESULTED else State.IN_PROCESS
    if state == State.RESULTED:
        return state  # a further run under way, or one that failed, takes nothing back
    if statuses == {"X"} or step.status == "CA" or (step.status == "CM" and not statuses):
        return State.NOT_PERFORMED
    if step.status == "IP" or statuses:
        return State.IN_PROCESS
    return State.ACCEPTED if state in UNSAID else state


Facts = tuple[tuple[str, str], ...]


def objections(steps: Sequence[StepSeen], known: Mapping[str, Any]) -> dict[int, tuple[str, Facts]]:
    """Why observations cannot be believed to answer our order: by segment, a reason code and its facts."""
    found: dict[int, tuple[str, Facts]] = {}
    for step in steps:
        if step.at_analyzer:
            continue
        row = known.get(step.awos)
        facts: Facts = (("awos", step.awos), ("specimen", step.specimen), ("test", step.name or step.code))
        reason = ""
        if row is None:
            reason = "unknown-awos"
        elif step.specimen and row.specimen != step.specimen:
            reason, facts = "awos-mismatch", (*facts, ("expected", row.specimen))
        elif row.state == State.CANCELLED:
            reason = "cancelled-order"
        if reason:
            found |= dict.fromkeys(step.observations, (reason, facts))
    return found
