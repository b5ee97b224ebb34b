"""Both tables of states walked completely in a real store: every event in every state, broken off before the commit, and done (issue 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from labmw.lab.lis_told import Doubt
from labmw.lab.sub_orders import TABLES, Cause, again, move
from labmw.store import SqliteStore, migrate, schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import Event, Standing, State, advance

AT, LATER = "2026-11-01T08:00:00.000000Z", "2026-11-01T09:00:00.000000Z"
CAUSE = Cause("TEST", LATER, None, "partner", "RH", "haemolysed")


class PowerCut(Exception):
    """Everything of the transaction is lost."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    url = f"sqlite:///{tmp_path}/labmw.db"
    migrate(url)
    one = SqliteStore(url)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def made(role: str) -> Transaction[Row]:
    message = yield statements.insert(
        schema.message, site="TEST", link="L", session="s", direction="in", peer="p", protocol="hl7", kind="order", first_frame=1, last_frame=1, place=0, received_at=AT, digest="d",
        raw=b"x", disposition="accepted"
    )  # fmt: skip
    yield statements.insert(
        schema.sub_order, site="TEST", role=role, partner="P", number="SO1", state="created", message=message[0].id,
        created_at=AT, updated_at=AT,
    )  # fmt: skip
    return (yield stored.sub_orders_numbered("TEST", role, "P", ["SO1"]))[0]


def put(row: Row, standing: Standing) -> Transaction[Row]:
    yield change(
        schema.sub_order, row.id, state=standing.state.value, before=standing.before.value if standing.before else "",
        closed_at=None, updated_at=AT,
    )  # fmt: skip
    return (yield from again(row))


def cut(row: Row, event: Event) -> Transaction[None]:
    yield from move((yield from again(row)), event, CAUSE)
    raise PowerCut


def done(row: Row, event: Event) -> Transaction[object]:
    return (yield from move((yield from again(row)), event, CAUSE))


def events(row: Row) -> Transaction[list[Row]]:
    return (yield stored.events_of(row.id))


def standings() -> list[Standing]:
    """Every state; while a cancellation is under way, with every state that a refusal of it may lead back to."""
    found = [Standing(state) for state in State if state is not State.CANCEL_SENT]
    return found + [Standing(State.CANCEL_SENT, before) for before in State if before is not State.CANCEL_SENT]


@pytest.mark.parametrize("role", ["requester", "subcontractor"])
async def test_every_event_in_every_state_is_kept_whole_or_not_at_all(store: SqliteStore, role: str) -> None:
    row = await store.run(made(role))
    walked = 0
    seen = 0
    for standing in standings():
        for event in Event:
            before = await store.run(put(row, standing))
            with pytest.raises(PowerCut):
                await store.run(cut(row, event))
            assert (await store.view(again(row))).mapping() == before.mapping()
            assert len(await store.view(events(row))) == seen
            after = await store.run(done(row, event))
            now = await store.view(again(row))
            kept = await store.view(events(row))
            seen += 1
            assert len(kept) == seen
            expected = advance(TABLES[role], standing, event)
            if expected is None:
                assert isinstance(after, Doubt)
                assert now.mapping() == before.mapping()
                assert (kept[-1].event, kept[-1].state) == (f"contradiction-{event.value}", standing.state.value)
            else:
                assert after == expected
                assert (now.state, now.before) == (expected.state, expected.before or "")
                assert (kept[-1].event, kept[-1].state, kept[-1].at) == (event.value, expected.state.value, LATER)
                assert (now.reason, now.reason_text) == ("RH", "haemolysed")
            walked += 1
    assert walked == len(standings()) * len(Event)
