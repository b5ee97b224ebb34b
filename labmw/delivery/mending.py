"""What does a person do with a message that did not arrive? Sends it again, keeps it back, lets it go, puts it away; author and reason in the audit.

The bytes and MSH-10 stay the same, so that a receiver that had taken it after all can drop the repeat.
"""

from __future__ import annotations

from typing import Final

from labmw.errors import DeliveryError
from labmw.store import statements
from labmw.store.statements import mending as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction

RETRIED: Final = ("waiting", "dead", "held", "closed")
HELD: Final = ("waiting", "dead")
CLOSED: Final = ("waiting", "dead", "held")


class NotNow(DeliveryError):
    """The message is in a state that the decision does not fit."""

    def __init__(self, entry: int, state: str) -> None:
        self.entry, self.state = entry, state
        super().__init__(f"outbox message {entry} is {state}; look at it with `labmw outbox show {entry}`")


class Overtaken(DeliveryError):
    """A later message has brought a test of this one since: sent now, the older value would stand over the newer one."""

    def __init__(self, entry: int, later: Row) -> None:
        self.entry, self.later, self.specimen, self.test = (
            entry,
            later.id,
            later.specimen,
            later.test_name or later.code,
        )
        super().__init__(f"outbox message {entry} is older than {later.id}, which has brought {self.test} since")


class TakenBack(DeliveryError):
    """The message carries a result that was taken back since, or refused: it does not leave any more."""

    def __init__(self, entry: int, row: Row) -> None:
        self.entry, self.specimen, self.test = entry, row.specimen, row.test_name or row.code
        super().__init__(f"outbox message {entry} carries {self.test}, which is {row.state} by now")


def retry(site: str, entry: int, *, at: str, by: str, why: str) -> Transaction[Row]:
    """Send a message at once, with its attempts counted anew: a dead letter, one that is held or put away, or one whose turn comes later.

    Raises Overtaken when a later one has brought a test of it since: an older value never goes over a newer one. Raises TakenBack when it
    carries what does not hold any more.
    """
    if gone := (yield stored.not_any_more(entry)):
        raise TakenBack(entry, gone[0])
    later = yield stored.overtaken_by(entry)
    if later:
        raise Overtaken(entry, later[0])
    return (yield from _become(site, entry, RETRIED, "waiting", "retried", at, by, why))


def hold(site: str, entry: int, *, at: str, by: str, why: str) -> Transaction[Row]:
    """Keep a message back until somebody lets it go with `retry`; later ones of its specimen and test wait for it."""
    return (yield from _become(site, entry, HELD, "held", "held-back", at, by, why))


def close(site: str, entry: int, *, at: str, by: str, why: str) -> Transaction[Row]:
    """Put a message away that is not to be sent any more; its results stay dead letters in the record, unless they went another way."""
    row = yield from _become(site, entry, CLOSED, "closed", "closed", at, by, why)
    if row.state != "dead":
        yield statements.results_of_outbox(entry, becomes="dead")
    return row


def _become(
    site: str, entry: int, fitting: tuple[str, ...], becomes: str, what: str, at: str, by: str, why: str
) -> Transaction[Row]:
    rows = yield stored.outbox_entry(site, entry)
    if not rows:
        raise NotNow(entry, "not known")
    if rows[0].state not in fitting or not (
        yield stored.outbox_becomes(site, entry, was=rows[0].state, becomes=becomes, due=at)
    ):
        raise NotNow(entry, rows[0].state)
    if rows[0].state in ("dead", "closed") and becomes != "closed":
        yield statements.results_of_outbox(entry, was="dead", becomes="released")
    detail = {"was": rows[0].state, "destination": rows[0].destination, "error": rows[0].last_error}
    yield audited(site, at=at, who=by, what=what, subject=f"outbox/{entry}", why=why, **detail)
    found: Row = rows[0]
    return found
