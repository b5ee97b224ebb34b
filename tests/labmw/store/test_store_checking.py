"""labmw store check finds what must never be; each fault is planted here, and found under its own name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labmw.phrases import codes
from labmw.store import Transaction, schema
from labmw.store.checking import check
from labmw.store.queued import QueuedStore
from labmw.store.statements import insert

SITE = "s"


def message() -> Transaction[int]:
    rows = yield insert(
        schema.message, site=SITE, link="l", direction=">", protocol="astm", received_at="t", raw=b"H", digest="d"
    )
    number: int = rows[0].id
    return number


def result(state: str, of: int, key: str = "k", **more: Any) -> Transaction[int]:
    row = {"site": SITE, "key": key, "identity": key, "message": of, "link": "l", "received_at": "t", "state": state}
    rows = yield insert(schema.result, **row | {"specimen": "T1", "code": key} | more)
    number: int = rows[0].id
    if state in ("released", "delivered", "held", "blocked", "dead"):
        yield insert(schema.verdict, site=SITE, result=number, level=0, decided_at="t")
    return number


def letter(state: str, of: int, *results: int) -> Transaction[None]:
    row = {"site": SITE, "destination": "LIS", "control_id": f"{of}-{state}", "message": of, "due_at": "t"}
    rows = yield insert(schema.outbox, **row, state=state, created_at="t")
    for one in results:
        yield insert(schema.outbox_result, site=SITE, outbox=rows[0].id, result=one, destination="LIS")


def sound() -> Transaction[None]:
    """One result in each state, each with what must stand beside it."""
    of = yield from message()
    yield from result("verify", of, "1")
    yield insert(schema.work, site=SITE, message=of, due_at="t", created_at="t")
    for number, (state, carried) in enumerate((("released", "waiting"), ("delivered", "delivered"), ("dead", "dead"))):
        one = yield from result(state, of, f"o{number}")
        yield from letter(carried, of, one)
    for state in ("held", "blocked", "control", "detail"):
        yield from result(state, of, state)
    yield from result("released", of, "nowhere")  # no destination is configured: it stays
    one = yield from result("quarantined", of, "q")
    yield insert(schema.quarantine, site=SITE, message=of, result=one, reason="no-order", raised_at="t")
    yield insert(schema.session, id="open", site=SITE, link="l", opened_at="t")
    yield insert(schema.frame, site=SITE, link="l", session="open", seq=1, number=1, text=b"", at="t")


def verify() -> Transaction[None]:
    yield from result("verify", (yield from message()))


def work() -> Transaction[None]:
    yield insert(schema.work, site=SITE, message=(yield from message()), due_at="t", created_at="t")


def released() -> Transaction[None]:
    of = yield from message()
    yield from letter("dead", of, (yield from result("released", of)))


def delivered() -> Transaction[None]:
    of = yield from message()
    yield from letter("waiting", of, (yield from result("delivered", of)))


def dead() -> Transaction[None]:
    yield from result("dead", (yield from message()))


def verdict() -> Transaction[None]:
    of = yield from message()
    yield insert(schema.result, site=SITE, key="k", identity="k", message=of, link="l", received_at="t", state="held")


def quarantine() -> Transaction[None]:
    yield from result("quarantined", (yield from message()))


def outbox() -> Transaction[None]:
    yield from letter("waiting", (yield from message()))


def frames() -> Transaction[None]:
    yield insert(schema.session, id="cut", site=SITE, link="l", opened_at="t", closed_at="t", closing="eot")
    yield insert(schema.frame, site=SITE, link="l", session="cut", seq=1, number=1, text=b"", at="t")


def twice() -> Transaction[None]:
    of = yield from message()
    for key in ("a", "b"):  # two keys and one identity: what a damaged unique index would let in
        one = yield from result("quarantined", of, key, code="c")
        yield insert(schema.quarantine, site=SITE, message=of, result=one, reason="no-order", raised_at="t")


def found(url: str) -> dict[str, int]:
    return {one.code: one.faults for one in check(url, SITE) if one.faults}


async def test_a_sound_store_is_sound(store: QueuedStore, url: str) -> None:
    await store.run(sound())
    assert found(url) == {}
    assert {one.code for one in check(url, SITE)} <= codes()


@pytest.mark.parametrize(
    "fault",
    [verify, work, released, delivered, dead, verdict, quarantine, outbox, frames, twice],
    ids=lambda one: one.__name__,
)
async def test_each_fault_is_found(fault: Callable[[], Transaction[None]], store: QueuedStore, url: str) -> None:
    await store.run(sound())
    await store.run(fault())
    assert found(url) == {f"store-check-{fault.__name__}": 1}
    (one,) = [one for one in check(url, SITE) if one.faults]
    assert one.examples


async def test_another_site_is_another_store(store: QueuedStore, url: str) -> None:
    await store.run(verify())
    assert {one.code: one.faults for one in check(url, "elsewhere") if one.faults} == {}


def test_a_damaged_file_is_said_and_nothing_else_asked(sqlite_url: str, file: Path) -> None:
    with file.open("r+b") as pages:
        pages.seek(8192)
        pages.write(os.urandom(file.stat().st_size - 8192))
    assert set(found(sqlite_url)) == {"store-check-file"}
    assert len(check(sqlite_url, SITE)) == 2
