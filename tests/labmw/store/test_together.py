"""Scripts played side by side come to what they come to one after the other; what concerns the same is never played so (decision 0070)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from labmw.errors import StoreError
from labmw.store import Transaction, schema
from labmw.store.group import Job, apart
from labmw.store.postgresql.connection import columnwise, in_one_array
from labmw.store.queued import QueuedStore
from labmw.store.statements import (
    INSERT_JOURNAL,
    close_session,
    insert,
    insert_message,
    insert_once,
    insert_rows,
    insert_rows_once,
    messages_by_control_id,
    specimens_among,
)
from labmw.store.together import together
from labmw.store.transaction import Row, Step

OPERATIONS = ("journal", "tube", "once", "message", "ask", "ask-two", "session", "close", "numbers")
AT = "2026-11-01"


def script(site: str, name: str, operations: tuple[str, ...]) -> Transaction[list[Any]]:
    """Some of what intake does, about one name; returns all that it was told."""
    told: list[Any] = []
    for number, what in enumerate(operations):
        rows: list[Row] = []
        if what == "journal":
            line = {"site": site, "link": "l", "session": name, "at": AT, "direction": ">", "data": b"%d" % number}
            rows = yield Step(INSERT_JOURNAL, [line, line | {"direction": "<"}])
        elif what == "tube":
            rows = yield insert_rows(schema.specimen, [{"site": site, "identifier": name, "kind": str(number)}])
        elif what == "once":
            rows = yield insert_rows_once(schema.specimen, [{"site": site, "identifier": name, "kind": "once"}])
        elif what == "message":
            yield insert_message(
                site=site, link="l", session=name, last_frame=number, direction=">", protocol="astm", received_at=AT,
                raw=b"", digest=f"{name} {number}", control_id=name,
            )  # fmt: skip
        elif what in ("ask", "ask-two"):
            rows = yield specimens_among(site, [name, f"{name}'"] if what == "ask-two" else [name])
            told.append([(row.identifier, row.kind) for row in rows])
        elif what == "session":
            yield insert_once(schema.session, site=site, id=name, link="l", opened_at=AT)
        elif what == "close":
            told.append(len((yield close_session(site, name, at=AT, why="eot"))))
        else:
            rows = yield messages_by_control_id(site, "l", name)
            told.append([row.digest for row in rows])
    return told


async def everything(store: QueuedStore, site: str) -> dict[str, list[Any]]:
    """What a site holds, without the numbers of the rows."""
    found: dict[str, list[Any]] = {}
    for table in (schema.journal, schema.specimen, schema.message, schema.session):
        columns = [column for column in table.c if column.name not in ("id", "site")]
        if table is schema.session:
            columns.append(table.c.id)
        rows = await store.read(select(*columns).where(table.c.site == site))
        found[table.name] = sorted([tuple(map(str, row)) for row in rows])
    return found


_SITES = iter(range(10**6))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(OPERATIONS), max_size=7).map(tuple), min_size=1, max_size=6))
async def test_side_by_side_is_one_after_the_other(store: QueuedStore, plans: list[tuple[str, ...]]) -> None:
    number = next(_SITES)
    beside, after = f"beside {number}", f"after {number}"
    names = [f"N{place}" for place in range(len(plans))]
    told = await store.run(together([script(beside, *one) for one in zip(names, plans, strict=True)]))
    assert told == [await store.run(script(after, *one)) for one in zip(names, plans, strict=True)]
    assert await everything(store, beside) == await everything(store, after)


def first_come(site: str) -> Transaction[bool]:
    """A script that must not be played beside its like: it writes what it has asked about."""
    known = yield specimens_among(site, ["S1"])
    yield insert_rows_once(schema.specimen, [{"site": site, "identifier": "S1"}])
    return not known


async def hold(store: QueuedStore) -> threading.Event:
    """Keep the writer busy, so that what is submitted meanwhile becomes one group."""
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def busy() -> Transaction[None]:
        loop.call_soon_threadsafe(begun.set)
        go.wait(20)
        yield specimens_among("s", ["S1"])

    store.submit(busy())
    await begun.wait()
    return go


async def test_what_concerns_the_same_is_played_in_its_order(store: QueuedStore) -> None:
    go = await hold(store)
    futures = [store.submit_beside(lambda: first_come("s"), frozenset({"tube/S1"})) for _ in range(3)]
    go.set()
    assert await asyncio.gather(*futures) == [True, False, False]


async def test_the_variant_that_plays_it_side_by_side_is_wrong(store: QueuedStore) -> None:
    assert await store.run(together([first_come("s") for _ in range(3)])) == [True, True, True]


async def test_one_that_fails_takes_only_itself_back_and_the_others_are_played_again(store: QueuedStore) -> None:
    made: list[str] = []

    def keep(name: str) -> Transaction[str]:
        made.append(name)
        yield insert_rows(schema.specimen, [{"site": "s", "identifier": name}])
        if name == "fails":
            yield insert(schema.specimen, site="s", identifier=name)  # its key is taken by now
        if name == "raises":
            raise ValueError(name)
        return name

    go = await hold(store)
    names = ("S1", "fails", "S2", "raises", "S3")
    futures = [store.submit_beside(lambda name=name: keep(name), frozenset({name})) for name in names]  # type: ignore[misc]
    go.set()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [outcomes[place] for place in (0, 2, 4)] == ["S1", "S2", "S3"]
    assert isinstance(outcomes[1], StoreError)
    assert isinstance(outcomes[3], ValueError)
    rows = await store.read(select(schema.specimen.c.identifier).order_by(schema.specimen.c.identifier))
    assert [row.identifier for row in rows] == ["S1", "S2", "S3"]
    assert made.count("S1") == 2  # with the others, and for itself


async def test_a_script_beside_others_waits_for_them_and_says_so(store: QueuedStore) -> None:
    assert store.calm() > 1e6  # nobody has waited yet
    go = await hold(store)
    waiting = asyncio.create_task(store.run_beside(lambda: first_come("s"), frozenset({"tube/S1"})))
    await asyncio.sleep(0)
    assert store.calm() == 0.0
    go.set()
    assert await waiting
    assert store.calm() < 20


_ABOUT = st.frozensets(st.sampled_from("abcd"), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(("beside", "alone", "rows")), _ABOUT)))
def test_runs_keep_the_order_and_share_no_concern(plan: list[tuple[str, frozenset[str]]]) -> None:
    future: Any = None
    jobs = []
    for kind, about in plan:
        if kind == "beside":
            jobs.append(Job(future, None, make=lambda: first_come("s"), about=about))
        elif kind == "alone":
            jobs.append(Job(future, first_come("s")))
        else:
            jobs.append(Job(future, None, INSERT_JOURNAL))
    runs = list(apart(jobs))
    assert [job for run in runs for job in run] == jobs
    for run in runs:
        assert len({(job.script is not None, job.statement is not None) for job in run}) == 1
        assert len(run) == 1 or run[0].script is None
        assert sum(len(job.about) for job in run) == len(frozenset().union(*(job.about for job in run)))


def test_an_insert_of_many_rows_is_written_column_by_column() -> None:
    row = 'INSERT INTO "order" (site, specimen) VALUES ($1::VARCHAR, $2::BIGINT)'
    many = 'INSERT INTO "order" (site, specimen) SELECT * FROM unnest($1::VARCHAR[], $2::BIGINT[])'
    for end in ("", " ON CONFLICT DO NOTHING", " ON CONFLICT DO NOTHING RETURNING order.id", " RETURNING order.id"):
        assert columnwise(row + end) == many + end


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO a (b) VALUES (lower($1::VARCHAR))",
        "INSERT INTO a (b) VALUES ($1::VARCHAR) ON CONFLICT (b) DO UPDATE SET b = excluded.b",
        "INSERT INTO a (b, c) VALUES ($1::VARCHAR, 'x')",
        "UPDATE a SET b=$1::VARCHAR",
    ],
)
def test_what_is_no_plain_insert_stays_as_it_is(text: str) -> None:
    assert not columnwise(text)


def test_a_list_of_values_is_sent_as_one_array() -> None:
    asked = "SELECT a FROM b WHERE c = $1::VARCHAR AND d IN ($2::BIGINT, $3::BIGINT) AND e = $4::VARCHAR AND f NOT IN ($5::BIGINT)"
    text, taken = in_one_array(asked)
    assert text == (
        "SELECT a FROM b WHERE c = $1::VARCHAR AND d = ANY($2::BIGINT[]) AND e = $3::VARCHAR AND f NOT IN ($4::BIGINT)"
    )
    assert taken == ((0, None), (1, 3), (3, None), (4, None))
    assert in_one_array("SELECT a FROM b WHERE d IN ($1::BIGINT, $3::BIGINT) AND c = $2::VARCHAR")[1] == ()
