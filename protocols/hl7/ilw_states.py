"""How far is a sub-order? The states of IHE ILW as data, one table for each role; what a table does not hold is a contradiction for a person.

Requester (LAB-35 out, LAB-36 in)::

    created -> sent -> accepted -> received -> in-process -> partial -> final -> corrected
    sent -> refused        before final: -> cancel-sent -> cancelled, or back        before final: -> returned

The subcontractor's table mirrors it. Results may overtake everything that is said of an order: they come by the same line, but a status message may
have been lost with its sender, so ``partial`` and ``final`` are reached from every state in which the order is alive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a sub-order is."""

    CREATED = "created"  # ours, and the partner has not taken it
    SENT = "sent"  # the partner has the message, and has not said yes or no
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RECEIVED = "received"  # the tube is with the partner
    IN_PROCESS = "in-process"
    PARTIAL = "partial"
    FINAL = "final"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"  # every result of it was taken back
    CANCEL_SENT = "cancel-sent"  # taken back by us, and the partner has not said whether it can
    CANCELLED = "cancelled"
    RETURNED = "returned"  # given back by the subcontractor: not done


class Event(StrEnum):
    """What happens to a sub-order."""

    SENT = "sent"  # the partner's system has taken the message
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RECEIVED = "received"
    STARTED = "started"
    PARTIAL = "partial"
    FINAL = "final"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    CANCEL = "cancel"  # the requester takes it back
    CANCEL_DONE = "cancel-done"
    CANCEL_UNABLE = "cancel-unable"


Table = Mapping[State, Mapping[Event, State]]

ALIVE = (State.SENT, State.ACCEPTED, State.RECEIVED, State.IN_PROCESS, State.PARTIAL)
"""With the partner, and not finished."""
ENDED = (State.REFUSED, State.FINAL, State.CORRECTED, State.WITHDRAWN, State.CANCELLED, State.RETURNED)
"""Nothing more is expected."""

_RESULTS = {Event.PARTIAL: State.PARTIAL, Event.FINAL: State.FINAL, Event.CORRECTED: State.CORRECTED}
_REPORTED = {
    Event.FINAL: State.FINAL,
    Event.CORRECTED: State.CORRECTED,
    Event.WITHDRAWN: State.WITHDRAWN,
    Event.PARTIAL: State.PARTIAL,
}


def _stays(state: State, *events: Event) -> dict[Event, State]:
    """What is said again, or comes late, and changes nothing."""
    return dict.fromkeys(events, state)


REQUESTER: Table = MappingProxyType(
    {
        State.CREATED: {
            Event.SENT: State.SENT,
            Event.ACCEPTED: State.ACCEPTED,
            Event.REFUSED: State.REFUSED,
            Event.RECEIVED: State.RECEIVED,  # the tube came by courier while our message waited
            Event.CANCEL: State.CANCELLED,  # the partner has never heard of it
            Event.RETURNED: State.RETURNED,
            **_RESULTS,
        },
        State.SENT: {
            **_stays(State.SENT, Event.SENT),
            Event.ACCEPTED: State.ACCEPTED,
            Event.REFUSED: State.REFUSED,
            Event.RECEIVED: State.RECEIVED,
            Event.STARTED: State.IN_PROCESS,
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCEL_SENT,
            **_RESULTS,
        },
        State.ACCEPTED: {
            **_stays(State.ACCEPTED, Event.SENT, Event.ACCEPTED),
            Event.RECEIVED: State.RECEIVED,
            Event.STARTED: State.IN_PROCESS,
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCEL_SENT,
            **_RESULTS,
        },
        State.RECEIVED: {
            **_stays(State.RECEIVED, Event.SENT, Event.ACCEPTED),
            Event.RECEIVED: State.IN_PROCESS,  # the partner says "in process" twice: arrived, then begun
            Event.STARTED: State.IN_PROCESS,
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCEL_SENT,
            **_RESULTS,
        },
        State.IN_PROCESS: {
            **_stays(State.IN_PROCESS, Event.SENT, Event.ACCEPTED, Event.RECEIVED, Event.STARTED),
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCEL_SENT,
            **_RESULTS,
        },
        State.PARTIAL: {
            **_stays(State.PARTIAL, Event.SENT, Event.ACCEPTED, Event.RECEIVED, Event.STARTED),
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCEL_SENT,
            Event.WITHDRAWN: State.WITHDRAWN,
            **_RESULTS,
        },
        State.FINAL: {
            **_stays(State.FINAL, Event.SENT, Event.ACCEPTED, Event.RECEIVED, Event.STARTED, Event.PARTIAL, Event.FINAL),
            Event.CORRECTED: State.CORRECTED,
            Event.WITHDRAWN: State.WITHDRAWN,
        },
        State.CORRECTED: {
            **_stays(State.CORRECTED, Event.SENT, Event.ACCEPTED, Event.RECEIVED, Event.STARTED, Event.PARTIAL),
            **_stays(State.CORRECTED, Event.FINAL, Event.CORRECTED),  # a final that says the same; another value is judged by its result
            Event.WITHDRAWN: State.WITHDRAWN,
        },
        State.WITHDRAWN: {**_stays(State.WITHDRAWN, Event.SENT, Event.WITHDRAWN), Event.CORRECTED: State.CORRECTED, Event.FINAL: State.CORRECTED},
        State.REFUSED: _stays(State.REFUSED, Event.SENT, Event.REFUSED),
        State.CANCEL_SENT: {
            **_stays(State.CANCEL_SENT, Event.SENT, Event.ACCEPTED, Event.RECEIVED, Event.STARTED, Event.PARTIAL, Event.CANCEL),
            Event.CANCEL_DONE: State.CANCELLED,
            Event.REFUSED: State.CANCELLED,  # the order itself was refused: there is nothing left to cancel
            Event.RETURNED: State.RETURNED,
            Event.FINAL: State.FINAL,  # it was too late
            Event.CORRECTED: State.CORRECTED,
        },
        State.CANCELLED: _stays(State.CANCELLED, Event.SENT, Event.CANCEL, Event.CANCEL_DONE, Event.RETURNED, Event.REFUSED),
        State.RETURNED: _stays(State.RETURNED, Event.SENT, Event.RETURNED, Event.CANCEL, Event.CANCEL_DONE),
    }
)  # fmt: skip
"""``CANCEL_UNABLE`` in ``CANCEL_SENT`` leads back to where the order was: see ``advance``."""

SUBCONTRACTOR: Table = MappingProxyType(
    {
        State.CREATED: {  # a message asks for it
            Event.ACCEPTED: State.ACCEPTED,
            Event.REFUSED: State.REFUSED,
        },
        State.ACCEPTED: {
            **_stays(State.ACCEPTED, Event.ACCEPTED),
            Event.RECEIVED: State.RECEIVED,
            Event.STARTED: State.IN_PROCESS,
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCELLED,
            **_RESULTS,
        },
        State.RECEIVED: {
            **_stays(State.RECEIVED, Event.ACCEPTED, Event.RECEIVED),
            Event.STARTED: State.IN_PROCESS,
            Event.RETURNED: State.RETURNED,
            Event.CANCEL: State.CANCELLED,
            **_RESULTS,
        },
        State.IN_PROCESS: {  # Event.CANCEL is not there: answered UC
            **_stays(State.IN_PROCESS, Event.ACCEPTED, Event.RECEIVED, Event.STARTED),
            Event.RETURNED: State.RETURNED,
            **_RESULTS,
        },
        State.PARTIAL: {
            **_stays(State.PARTIAL, Event.ACCEPTED, Event.RECEIVED, Event.STARTED),
            Event.RETURNED: State.RETURNED,
            **_REPORTED,
        },
        State.FINAL: {**_stays(State.FINAL, Event.ACCEPTED, Event.RECEIVED, Event.STARTED), **_REPORTED, Event.PARTIAL: State.FINAL},
        State.CORRECTED: {
            **_stays(State.CORRECTED, Event.ACCEPTED, Event.RECEIVED, Event.STARTED, Event.PARTIAL, Event.FINAL, Event.CORRECTED),
            Event.WITHDRAWN: State.WITHDRAWN,
        },
        State.WITHDRAWN: {
            **_stays(State.WITHDRAWN, Event.ACCEPTED, Event.WITHDRAWN),
            Event.FINAL: State.CORRECTED,
            Event.CORRECTED: State.CORRECTED,
        },
        State.REFUSED: _stays(State.REFUSED, Event.REFUSED),
        State.CANCELLED: _stays(State.CANCELLED, Event.CANCEL),
        State.RETURNED: _stays(State.RETURNED, Event.RETURNED, Event.CANCEL),
        # a requester's states alone
        State.SENT: {},
        State.CANCEL_SENT: {},
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """A state, and while a cancellation is under way the state to which a refusal of it leads back."""

    state: State
    before: State | None = None


def advance(table: Table, now: Standing, event: Event) -> Standing | None:
    """Where an event leads; None when it contradicts what is known, which is for a person."""
    if now.state is State.CANCEL_SENT:
        before = now.before or State.SENT
        if event is Event.CANCEL_UNABLE:
            return Standing(before)
        if event in table[now.state] and table[now.state][event] is State.CANCEL_SENT:
            # the partner had said it before it read our cancellation: what it leads back to has moved on; a second cancellation moves nothing
            after = table[before].get(event, before)
            return Standing(State.CANCEL_SENT, before if after is State.CANCEL_SENT else after)
    found = table[now.state].get(event)
    if found is None:
        return None
    return Standing(found, now.state if found is State.CANCEL_SENT else None)


def mermaid(table: Table) -> str:
    """The drawing of a table, for the documentation: what leads from one state to another."""
    lines = ["stateDiagram-v2", "    [*] --> created"]
    for state in State:
        reached: dict[State, list[str]] = {}
        for event, target in table[state].items():
            if target is not state:
                reached.setdefault(target, []).append(event.value)
        if state is State.CANCEL_SENT and table is REQUESTER:
            lines.append("    cancel_sent --> accepted : cancel-unable (back to where it was)")
        lines += [
            f"    {_named(state)} --> {_named(target)} : {', '.join(events)}" for target, events in reached.items()
        ]
    return "".join(line + "\n" for line in lines)


def _named(state: State) -> str:
    return state.value.replace("-", "_")
