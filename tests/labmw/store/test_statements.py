"""Every statement: understood by both databases, quick on a long history, and meaning what its name says."""

import importlib
import inspect
import json
import pkgutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Integer, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from labmw.errors import StoreError
from labmw.store import Row, SqliteStore, Step, Transaction, assumed, schema, statements
from labmw.store.compiled import Compiler
from labmw.store.connection import open_for_writing
from labmw.store.queued import QueuedStore
from labmw.store.statements import (
    analyzers,
    deciding,
    identities,
    interlab,
    lis,
    partners,
    recalls,
    stops,
    surroundings,
    taps,
    tasks,
    tracing,
)
from labmw.store.statements.story import Story
from labmw.store.statements.writing import natural_key

SITE = "s"
SQLITE = Compiler(sqlite.dialect(paramstyle="qmark"))
POSTGRESQL = Compiler(postgresql.asyncpg.dialect())  # type: ignore[no-untyped-call]

SAMPLES: dict[str, Any] = {
    "moves": [(1, "verify", "held")],
    "row": {column.name: 1 if isinstance(column.type, Integer) else "1" for column in schema.result.c},
    "payload": b"x",
    "receipt": b"x",
    **{
        name: ["a", "b", "c"]
        for name in ("specimens", "identifiers", "patients", "loincs", "identities", "placers", "numbers")
    },
    **{key: [1, 2, 3] for key in ("orders", "sub_orders", "results", "messages")},
    "states": ("held", "technical"),
    "number": 1,
    **dict.fromkeys(
        (
            "limit",
            "entry",
            "result_id",
            "message",
            "message_id",
            "work",
            "last_seq",
            "seq",
            "last",
            "place",
            "stop",
            "judged",
            "released",
            "after",
            "most",
            "message_",
            "box_",
            "sub_order_",
            "sub_order",
            "result_",
        ),
        1,
    ),
}


def named() -> dict[str, Callable[..., Any]]:
    """Every function that makes a step, by name."""
    found = {name: getattr(statements, name) for name in statements.__all__}
    for module in (
        analyzers,
        deciding,
        identities,
        interlab,
        lis,
        partners,
        recalls,
        stops,
        surroundings,
        taps,
        tasks,
        tracing,
    ):
        mine = {name: one for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__}
        found |= {f"{module.__name__.rpartition('.')[2]}.{name}": one for name, one in mine.items()}
    return {
        name: one
        for name, one in found.items()
        if inspect.isfunction(one)
        and not name.startswith("insert")
        and not name.rpartition(".")[2].startswith("_")
        and name
        not in (
            "story",
            "identities.moves",
            "identities.drop",
            "identities.kept_about",
        )  # these make steps of any table
    }


def example(make: Callable[..., Step]) -> Step:
    """The step that a function makes of sample values."""
    parameters = inspect.signature(make).parameters.values()
    values = {one.name: SAMPLES.get(one.name, "s") for one in parameters if one.default is inspect.Parameter.empty}
    return make(**values)


def steps_of_story() -> list[Step]:
    """Every step that a story asks, as if there were one message with frames."""
    row = type("R", (), {"id": 1, "session": "a", "first_frame": 1, "last_frame": 2})()
    script, asked = statements.story(SITE, "T1"), []
    step = next(script)
    try:
        while True:
            asked.append(step)
            step = script.send([row])
    except StopIteration:
        return asked


def every_step() -> dict[str, Step]:
    """One example of each statement there is."""
    steps = {name: example(make) for name, make in named().items()}
    steps |= {f"story {place}": step for place, step in enumerate(steps_of_story())}
    steps |= {f"kept about in {table.name}": step for table, step in identities.kept_about(SITE, "P1")}
    for table in schema.metadata.tables.values():
        values = {column.name: "1" for column in table.columns if column.name != "id" or table is schema.session}
        steps |= {
            f"insert {table.name}": statements.insert(table, **values),
            f"insert_once {table.name}": statements.insert_once(table, **values),
            f"insert_or_update {table.name}": statements.insert_or_update(table, **values),
        }
        steps[f"insert_rows {table.name}"] = statements.insert_rows(table, [values])
        steps[f"insert_rows_once {table.name}"] = statements.insert_rows_once(table, [values])
    return steps


STEPS = every_step()


def one_set(step: Step) -> Any:
    return step.parameters[0] if isinstance(step.parameters, list) else step.parameters


@pytest.mark.parametrize("name", STEPS)
def test_both_databases_understand_it(name: str) -> None:
    values = one_set(STEPS[name])
    ours, theirs = SQLITE(STEPS[name].statement, values), POSTGRESQL(STEPS[name].statement, values)
    assert len(ours.values(values)) == ours.text.count("?")
    # PostgreSQL names a value once where SQLite repeats it; SQLite's LIMIT brings an OFFSET 0.
    assert set(map(str, ours.values(values))) - set(map(str, theirs.values(values))) <= {"0"}
    assert set(map(str, theirs.values(values))) <= set(map(str, ours.values(values)))
    assert f"${len(theirs.order)}" in theirs.text
    assert f"${len(theirs.order) + 1}" not in theirs.text
    # Not a placeholder but a word: what a partial index is chosen by.
    assert ours.text.count("POSTCOMPILE") == theirs.text.count("POSTCOMPILE") == 0


# These read all of a site, and say so: they are for counting and checking.
WHOLE = {
    "results_listed", "results_twice", "deliveries_twice", "repeats_counted", "frames_in_no_message", "results_by_state",
    "results_unfinished", "identities.messages_in_doubt", "lis.delivered_between", "lis.lis_heard", "tasks.every_task",
    "taps.heard_on", "interlab.open_by_partner", "interlab.sub_order_named", "interlab.all_sub_orders", "interlab.delivered_since",
    "partners.catalogue_versions", "interlab.refused_since",
}  # fmt: skip
# Indexes and tables that stay small however long the history: what is open, what waits, one row per link.
# "claimed" is `work` once more, in `release_work`.
SMALL = {
    "ix_sub_order_open",
    "ix_box_coming",
    "ix_provisional_open",
    "ix_task_open",
    "ix_recall_open",
    "ix_prescriber_call_open",
    "ix_line_stop_open",
    "(subquery-3)",  # inside the next two: the earlier results of a patient's tests, found by an index, are numbered
    "newest_own",
    "newest_told",
    "ix_session_open",
    "ix_alert_open",
    "ix_quarantine_open",
    "ix_outbox_next",
    "work",
    "claimed",
    "link_state",
    "analyzer",
    "ix_analyzer_waiting",
}


def plan(file: Path, step: Step) -> str:
    values = one_set(step)
    compiled = SQLITE(step.statement, values)
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN {compiled.text}", compiled.values(values)).fetchall()
    return "; ".join(row[3] for row in rows)


def long_ways(found: str) -> list[str]:
    """The parts of a plan that grow with the history: a whole table, or everything of one site."""
    parts = [part for part in found.split("; ") if part.startswith("SCAN") or "(site=?)" in part]
    return [part for part in parts if "CONSTANT" not in part and not SMALL & set(part.split())]


@pytest.mark.parametrize("name", [name for name in STEPS if not name.startswith("insert") and name not in WHOLE])
def test_no_statement_of_daily_work_grows_with_the_history(name: str, file: Path) -> None:
    found = plan(file, STEPS[name])
    assert not long_ways(found), found


def test_a_statement_that_grows_with_the_history_would_be_noticed(file: Path) -> None:
    """The variant that breaks the rule above: the same test finds the statements that read everything."""
    assert long_ways(plan(file, Step(select(schema.result).where(schema.result.c.value == "1"))))
    assert all(long_ways(plan(file, STEPS[name])) for name in WHOLE)


BY_STATE = "ix_result_site_state"
# What is held, what cannot be, what is counted: these look for results by their state, and nothing else may (decision 0095).
STATES = {
    "counts.results_by_state", "counts.results_held", "deciding.results_undecided", "recalls.left_since", "recalls.held_since",
    "checks.verify_without_work", "checks.delivered_without_receipt", "checks.dead_without_letter", "checks.released_and_gone",
    "checks.quarantined_unseen", "checks.judged_by_nobody", "supplies.measured_between", "control.held_in_brackets", "past.indices_measured", "retention.controls_before",
    "retention.controls_counted",
}  # fmt: skip


def plans(file: Path) -> dict[str, str]:
    """How every statement of every module is answered that an example can be made of."""
    found: dict[str, str] = {}
    for place in pkgutil.iter_modules(statements.__path__):
        module = importlib.import_module(f"{statements.__name__}.{place.name}")
        for name, make in vars(module).items():
            if (
                getattr(make, "__module__", "") != module.__name__
                or not inspect.isfunction(make)
                or name.startswith("_")
            ):
                continue
            with suppress(Exception):  # what makes no step, or one of other values, is tried by its own tests
                found[f"{place.name}.{name}"] = plan(file, example(make))
    return found


def test_results_of_a_tube_or_a_message_are_not_looked_for_by_their_state(file: Path) -> None:
    """The variant: without the statistics that come with the schema, SQLite does just that."""
    found = plans(file)
    assert len(found) > 200
    assert {name for name, how in found.items() if BY_STATE in how} == STATES
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DELETE FROM sqlite_stat1")
    careless = {name for name, how in plans(file).items() if BY_STATE in how} - STATES
    assert {"surroundings.results_on_tubes", "deciding.other_runs"} <= careless


@pytest.mark.parametrize(
    "lost", ["DELETE FROM sqlite_stat1", "DROP TABLE sqlite_stat1", "DROP INDEX ix_result_message"]
)
def test_statistics_that_were_lost_come_back_when_the_store_is_opened(lost: str, file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        before = dict(database.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'result'"))
        made = database.execute("SELECT sql FROM sqlite_master WHERE name = 'ix_result_message'").fetchone()[0]
        database.execute(lost)
        if "INDEX" in lost:
            database.execute(made)
    with closing(open_for_writing(file, 5.0)) as opened:
        after = dict(opened.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'result'"))
        assert after == before == assumed.RESULTS
        plan_now = opened.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM result WHERE site = '' AND specimen = '' AND state = ''"
        )
        assert "ix_result_site_specimen_code" in str(plan_now.fetchall())


def test_what_an_analyze_counted_stays(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE sqlite_stat1 SET stat = '7 7' WHERE idx = 'ix_result_message'")
    with closing(open_for_writing(file, 5.0)) as opened:
        assert opened.execute("SELECT stat FROM sqlite_stat1 WHERE idx = 'ix_result_message'").fetchone() == ("7 7",)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("claim_outbox", "ix_outbox_next"),
        ("outbox_waiting", "ix_outbox_next"),
        ("open_sessions", "ix_session_open"),
        ("alerts_open", "ix_alert_open"),
        ("quarantine_open", "ix_quarantine_open"),
        ("quarantine_by_reason", "ix_quarantine_open"),
        ("messages_by_control_id", "ix_message_control_id"),
        ("results_by_state", "COVERING INDEX ix_result_site_state"),
        ("results_held", "ix_result_site_state"),
        ("claim_work", "ix_work_site_kind_due_at"),
    ],
)
def test_the_index_made_for_it_is_used(name: str, index: str, file: Path) -> None:
    assert index in plan(file, STEPS[name])


def test_claims_go_along_their_index_without_sorting(file: Path) -> None:
    for name in ("claim_outbox", "claim_work"):
        assert "TEMP B-TREE" not in plan(file, STEPS[name])


@pytest.mark.parametrize("table", schema.metadata.tables.values(), ids=lambda table: table.name)
def test_a_table_has_one_natural_key_at_most(table: Table) -> None:
    assert natural_key(table) == natural_key(table)
    unique = [one for one in table.constraints if type(one).__name__ == "UniqueConstraint"]
    assert len(unique) <= 1


# --- what they mean -------------------------------------------------------------------------------------------------------


class Laboratory:
    """Fills a store with just enough for a test, and asks it."""

    def __init__(self, store: QueuedStore) -> None:
        self.store = store

    async def ask(self, step: Step) -> list[Row]:
        """The rows of one step."""
        return await self.store.run(asking(step))

    async def add(self, table: Table, **values: Any) -> int:
        """A row; its id."""
        rows = await self.ask(statements.insert(table, **{"site": SITE} | values))
        number: int = rows[0].id
        return number

    async def message(self, **values: Any) -> int:
        """A message."""
        row = {"link": "l", "direction": ">", "protocol": "astm", "received_at": "t1", "raw": b"H", "digest": "d"}
        return await self.add(schema.message, **row | values)

    async def result(self, message: int, key: str = "k", state: str = "verify", **values: Any) -> int:
        """A result."""
        row = {"key": key, "identity": key, "message": message, "link": "l", "received_at": "t1", "state": state}
        return await self.add(schema.result, **row | {"specimen": "T1", "code": key} | values)

    async def entry(self, control_id: str, message: int, **values: Any) -> int:
        """An outbox message."""
        row = {"destination": "LIS", "control_id": control_id, "due_at": "t1", "created_at": "t1", "message": message}
        return await self.add(schema.outbox, **row | values)


def asking(step: Step) -> Transaction[list[Row]]:
    return (yield step)


@pytest.fixture
def laboratory(store: QueuedStore) -> Laboratory:
    return Laboratory(store)


def claim_work(now: str, until: str, who: str = "a", limit: int = 10) -> Step:
    return statements.claim_work(SITE, limit=limit, now=now, until=until, who=who)


async def test_work_is_claimed_once_and_comes_back_when_its_claimer_dies(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    for due in ("t1", "t2", "t5"):
        await laboratory.add(schema.work, message=message, due_at=due, created_at="t0")
    first = await laboratory.ask(claim_work("t2", "t4"))
    assert sorted(row.due_at for row in first) == ["t1", "t2"]
    assert {(row.claimed_by, row.claimed_until, row.attempts) for row in first} == {("a", "t4", 1)}
    assert await laboratory.ask(claim_work("t3", "t6", who="b")) == []
    again = await laboratory.ask(claim_work("t4", "t6", who="b", limit=1))
    assert [(row.due_at, row.claimed_by, row.attempts) for row in again] == [("t1", "b", 2)]
    # The dead one wakes up: it may finish what nobody else has, but not give back what is no longer its own.
    assert await laboratory.ask(statements.postpone_work(again[0].id, who="a", due="t9")) == []
    assert len(await laboratory.ask(statements.postpone_work(again[0].id, who="b", due="t9"))) == 1
    assert len(await laboratory.ask(statements.finish_work(again[0].id))) == 1
    assert await laboratory.ask(statements.finish_work(again[0].id)) == []
    (waiting,) = await laboratory.ask(statements.work_waiting(SITE))
    assert (waiting.kind, waiting.count, waiting.oldest) == ("verify", 2, "t0")


async def test_other_sites_and_kinds_are_left_alone(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    await laboratory.add(schema.work, message=message, due_at="t1", created_at="t0", kind="other")
    await laboratory.add(schema.work, message=message, due_at="t1", created_at="t0", site="elsewhere")
    assert await laboratory.ask(claim_work("t2", "t4")) == []


def claim_outbox(now: str, until: str, who: str = "a", limit: int = 10, to: str = "LIS") -> Step:
    return statements.claim_outbox(SITE, to, limit=limit, now=now, until=until, who=who)


async def test_stat_goes_first_then_the_oldest(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    for control_id, priority in (("1", "R"), ("2", "S"), ("3", "R"), ("4", "S")):
        await laboratory.entry(control_id, message, priority=priority)
    await laboratory.entry("5", message, destination="other")
    order = []
    for _ in range(5):
        order += [row.control_id for row in await laboratory.ask(claim_outbox("t2", "t9", limit=1))]
    assert order == ["2", "4", "1", "3"]


async def test_an_outbox_message_is_claimed_sent_and_delivered_once(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    entry = await laboratory.entry("1", message)
    result = await laboratory.result(message, state="released")
    await laboratory.add(schema.outbox_result, outbox=entry, result=result, destination="LIS")
    (row,) = await laboratory.ask(claim_outbox("t2", "t4"))
    assert (row.state, row.attempts, row.claimed_by) == ("claimed", 1, "a")
    assert await laboratory.ask(claim_outbox("t3", "t5", who="b")) == []
    (row,) = await laboratory.ask(claim_outbox("t4", "t5", who="b"))
    assert row.attempts == 2
    # a comes back from the dead: it can neither put back nor give up what b has, but an acknowledgment is one whoever got it
    assert await laboratory.ask(statements.outbox_retry(entry, who="a", due="t9", error="late")) == []
    assert await laboratory.ask(statements.outbox_dead(entry, who="a", error="late")) == []
    assert len(await laboratory.ask(statements.outbox_delivered(entry, at="t5", receipt=b"AA"))) == 1
    assert await laboratory.ask(statements.outbox_delivered(entry, at="t6", receipt=b"AA")) == []
    assert await laboratory.ask(statements.outbox_retry(entry, who="b", due="t9", error="late")) == []
    assert await laboratory.ask(claim_outbox("t99", "t999")) == []
    assert len(await laboratory.ask(statements.results_of_outbox(entry, becomes="delivered"))) == 1
    assert await laboratory.ask(statements.results_of_outbox(entry, becomes="delivered")) == []
    (row,) = await laboratory.ask(statements.outbox_by_control_id(SITE, "1"))
    assert (row.state, row.delivered_at, row.receipt, row.claimed_by) == ("delivered", "t5", b"AA", None)
    assert await laboratory.ask(statements.outbox_waiting(SITE)) == []


async def test_a_process_that_starts_alone_frees_what_a_dead_one_had_claimed(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    await laboratory.add(schema.work, message=message, due_at="t1", created_at="t0")
    entries = [await laboratory.entry(control_id, message) for control_id in "123"]
    await laboratory.ask(claim_work("t2", "t99"))
    await laboratory.ask(claim_outbox("t2", "t99", limit=2))
    await laboratory.ask(statements.outbox_delivered(entries[0], at="t3", receipt=b"AA"))
    await laboratory.ask(statements.release_work("elsewhere"))
    await laboratory.ask(statements.release_outbox("elsewhere"))
    assert await laboratory.ask(claim_work("t4", "t99")) == []
    await laboratory.ask(statements.release_work(SITE))
    await laboratory.ask(statements.release_outbox(SITE))
    assert [row.attempts for row in await laboratory.ask(claim_work("t4", "t99"))] == [2]
    claimed = await laboratory.ask(claim_outbox("t4", "t99"))
    assert sorted((row.id, row.attempts) for row in claimed) == [(entries[1], 2), (entries[2], 1)]


async def test_retry_give_back_and_dead(laboratory: Laboratory) -> None:
    entry = await laboratory.entry("1", await laboratory.message())
    await laboratory.ask(claim_outbox("t2", "t4"))
    assert len(await laboratory.ask(statements.outbox_retry(entry, who="a", due="t5", error="no answer"))) == 1
    assert await laboratory.ask(claim_outbox("t4", "t9")) == []
    assert (await laboratory.ask(claim_outbox("t5", "t9")))[0].attempts == 2
    assert len(await laboratory.ask(statements.give_back(entry, who="a", due="t6", error="down"))) == 1
    assert (await laboratory.ask(claim_outbox("t6", "t9")))[0].attempts == 2  # what was not tried does not count
    await laboratory.ask(statements.keep_payload(entry, b"first"))
    await laboratory.ask(statements.keep_payload(entry, b"second"))
    assert len(await laboratory.ask(statements.outbox_dead(entry, who="a", error="refused: AE"))) == 1
    (row,) = await laboratory.ask(statements.outbox_waiting(SITE))
    assert (row.destination, row.state, row.count, row.oldest, row.attempts) == ("LIS", "dead", 1, "t1", 2)
    (row,) = await laboratory.ask(statements.outbox_by_control_id(SITE, "1"))
    assert (row.payload, row.last_error) == (b"first", "refused: AE")


async def test_a_result_cannot_be_queued_twice_to_one_destination(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    result = await laboratory.result(message)
    one, two = await laboratory.entry("1", message), await laboratory.entry("2", message, destination="archive")
    await laboratory.add(schema.outbox_result, outbox=one, result=result, destination="LIS")
    again = await laboratory.entry("3", message)
    with pytest.raises(StoreError, match=r"(?i)unique"):
        await laboratory.add(schema.outbox_result, outbox=again, result=result, destination="LIS")
    await laboratory.add(schema.outbox_result, outbox=two, result=result, destination="archive")
    assert await laboratory.ask(statements.deliveries_twice(SITE)) == []


async def test_twice_would_be_counted_if_the_key_did_not_forbid_it(sqlite_url: str, file: Path) -> None:
    """The variant that breaks it: the same rows in a store without its unique keys are found by both counts."""
    with closing(sqlite3.connect(file)) as database:
        for table in ("result", "outbox_result"):
            (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            lines = [line.strip().rstrip(",") for line in sql.splitlines() if "CONSTRAINT uq_" not in line]
            database.execute(f"DROP TABLE {table}")
            database.execute(f"{lines[0]} {', '.join(lines[1:-1])} )")
        database.commit()
    store = SqliteStore(sqlite_url)
    await store.start()
    laboratory = Laboratory(store)
    message = await laboratory.message()
    same = {"analyzer": "a", "run": "1", "completed_raw": "c", "code": "K"}
    results = [await laboratory.result(message, **same) for _ in range(2)]
    await laboratory.result(message, **same | {"run": "2"})
    entry = await laboratory.entry("1", message)
    for _ in range(2):
        await laboratory.add(schema.outbox_result, outbox=entry, result=results[0], destination="LIS")
    (twice,) = await laboratory.ask(statements.results_twice(SITE))
    assert (twice.analyzer, twice.code, twice.run, twice.count) == ("a", "K", "1", 2)
    (sent,) = await laboratory.ask(statements.deliveries_twice(SITE))
    assert (sent.destination, sent.result, sent.count) == ("LIS", results[0], 2)
    await store.stop()


async def session(laboratory: Laboratory, name: str, frames: int) -> None:
    await laboratory.add(schema.session, id=name, link="l", peer="p", opened_at=f"t{name}")
    await laboratory.store.run_rows(
        statements.INSERT_FRAME,
        [
            {"site": SITE, "link": "l", "session": name, "seq": seq, "number": seq % 8, "text": b"%d" % seq, "at": "t"}
            for seq in range(1, frames + 1)
        ],
    )


async def test_what_was_acknowledged_and_is_in_no_message_is_found_after_a_restart(laboratory: Laboratory) -> None:
    await session(laboratory, "1", 5)
    await session(laboratory, "2", 2)
    await session(laboratory, "3", 0)
    await laboratory.message(session="1", first_frame=1, last_frame=3)
    rows = await laboratory.ask(statements.open_sessions(SITE))
    assert [(row.id, row.link, row.peer, row.taken, row.last_seq) for row in rows] == [
        ("1", "l", "p", 3, 5),
        ("2", "l", "p", -1, 2),
        ("3", "l", "p", -1, -1),
    ]
    rest = await laboratory.ask(statements.frames_after(SITE, "1", 3))
    assert [(row.seq, row.number, row.text) for row in rest] == [(4, 4, b"4"), (5, 5, b"5")]
    lost = await laboratory.ask(statements.frames_in_no_message(SITE))
    assert [(row.session, row.frames) for row in lost] == [("1", 2), ("2", 2)]
    (last,) = await laboratory.ask(statements.last_message_of_session(SITE, "1"))
    assert last.last_frame == 3
    assert await laboratory.ask(statements.last_message_of_session(SITE, "2")) == []
    assert len(await laboratory.ask(statements.frame_at(SITE, "2", 2))) == 1
    assert await laboratory.ask(statements.frame_at(SITE, "2", 3)) == []
    # Taken in and closed, none is left.
    await laboratory.message(session="1", first_frame=4, last_frame=5)
    await laboratory.message(session="2", first_frame=1, last_frame=2)
    for name in "123":
        assert len(await laboratory.ask(statements.close_session(SITE, name, at="t9", why="restart"))) == 1
    assert await laboratory.ask(statements.close_session(SITE, "1", at="t10", why="eot")) == []
    assert await laboratory.ask(statements.open_sessions(SITE)) == []
    assert await laboratory.ask(statements.frames_in_no_message(SITE)) == []


async def test_once_is_once(laboratory: Laboratory) -> None:
    row = {"site": SITE, "identifier": "P1", "family": "Durand"}
    (first,) = await laboratory.ask(statements.insert_once(schema.patient, **row))
    assert await laboratory.ask(statements.insert_once(schema.patient, **row | {"family": "Other"})) == []
    await laboratory.ask(statements.insert_rows_once(schema.patient, [row, row | {"identifier": "P2"}]))
    rows = await laboratory.ask(statements.patients_among(SITE, ["P1", "P2", "P3"]))
    assert sorted((one.identifier, one.family) for one in rows) == [("P1", "Durand"), ("P2", "Durand")]
    with pytest.raises(StoreError, match=r"NOT NULL|not-null"):
        await laboratory.ask(statements.insert_once(schema.patient, site=SITE, identifier=None))
    (again,) = await laboratory.ask(statements.insert_or_update(schema.patient, **row | {"family": "Martin"}))
    assert again.id == first.id
    (same,) = await laboratory.ask(statements.insert_or_update(schema.patient, site=SITE, identifier="P1"))
    assert same.id == first.id
    (one,) = await laboratory.ask(statements.patients_among(SITE, ["P1"]))
    assert one.family == "Martin"


async def test_the_latest_verdict_explains_a_hold(laboratory: Laboratory) -> None:
    message = await laboratory.message()
    held = await laboratory.result(message, "a", "held")
    blocked = await laboratory.result(message, "b", "blocked")
    await laboratory.result(message, "c", "released")
    for result, reason in ((held, "no-rule"), (blocked, "absurd"), (held, "critical")):
        reasons = json.dumps([{"code": reason}])
        await laboratory.add(schema.verdict, result=result, level=3, reasons=reasons, decided_at="t2")
    rows = await laboratory.ask(statements.results_held(SITE))
    assert [(row.id, json.loads(row.reasons)[0]["code"]) for row in rows] == [(held, "critical"), (blocked, "absurd")]


async def test_counts(laboratory: Laboratory) -> None:
    message = await laboratory.message(sender="X^1")
    states = ["verify", "released", "held", "quarantined", "delivered", "delivered", "detail"]
    results = [
        await laboratory.result(message, str(number), state, unit_raw="g/L") for number, state in enumerate(states)
    ]
    await laboratory.result(message, "other", "held", site="elsewhere")
    by_state = {row.state: row.count for row in await laboratory.ask(statements.results_by_state(SITE))}
    assert by_state == {"verify": 1, "released": 1, "held": 1, "quarantined": 1, "delivered": 2, "detail": 1}
    assert [row.state for row in await laboratory.ask(statements.results_unfinished(SITE))] == ["verify", "released"]
    assert [row.id for row in await laboratory.ask(statements.results_listed(SITE))] == results
    for reason, result, state in (
        ("no-order", results[3], "open"),
        ("damaged", None, "open"),
        ("x", None, "discarded"),
    ):
        await laboratory.add(
            schema.quarantine, message=message, result=result, reason=reason, raised_at="t1", state=state
        )
    by_reason = [
        (row.reason, row.count, row.oldest) for row in await laboratory.ask(statements.quarantine_by_reason(SITE))
    ]
    assert by_reason == [("damaged", 1, "t1"), ("no-order", 1, "t1")]
    rows = await laboratory.ask(statements.quarantine_open(SITE))
    assert [(row.reason, row.link, row.sender, row.specimen, row.code) for row in rows] == [
        ("no-order", "l", "X^1", "T1", "3"),
        ("damaged", "l", "X^1", None, None),
    ]
    await laboratory.add(schema.repeat, result=results[0], message=message, seen_at="t2")
    assert (await laboratory.ask(statements.repeats_counted(SITE)))[0].count == 1
    await laboratory.add(schema.alert, result=results[0], kind="critical", raised_at="t1")
    await laboratory.add(schema.alert, result=results[1], kind="critical", raised_at="t1", state="closed")
    (alert,) = await laboratory.ask(statements.alerts_open(SITE))
    assert (alert.result, alert.kind, alert.specimen, alert.unit_raw) == (results[0], "critical", "T1", "g/L")


async def test_a_state_moves_only_from_where_it_was_thought_to_be(laboratory: Laboratory) -> None:
    message = await laboratory.message(terminated=0)
    one = await laboratory.result(message, "a")
    two = await laboratory.result(message, "b", "held")
    waiting = await laboratory.ask(statements.results_to_verify(message))
    assert [(row.id, row.terminated) for row in waiting] == [(one, 0)]
    await laboratory.ask(statements.results_become([(one, "verify", "released"), (two, "verify", "released")]))
    assert {row.id: row.state for row in await laboratory.ask(statements.results_listed(SITE))} == {
        one: "released",
        two: "held",
    }


async def test_a_story_is_whole(laboratory: Laboratory) -> None:
    await laboratory.add(schema.patient, identifier="P1", family="Durand")
    await laboratory.add(schema.specimen, identifier="T1", patient="P1")
    await laboratory.add(schema.order, specimen="T1", loinc="2823-3")
    await session(laboratory, "1", 3)
    await session(laboratory, "2", 3)
    message = await laboratory.message(session="1", first_frame=1, last_frame=2)
    resent = await laboratory.message(session="2", first_frame=1, last_frame=3)
    other = await laboratory.message(session="1", first_frame=3, last_frame=3)
    result = await laboratory.result(message, "K", "delivered", patient="P1")
    await laboratory.result(other, "L", specimen="T2")
    await laboratory.add(schema.repeat, result=result, message=resent, seen_at="t2")
    await laboratory.add(schema.verdict, result=result, level=0, decided_at="t3")
    await laboratory.add(schema.alert, result=result, kind="critical", raised_at="t1")
    await laboratory.add(schema.quarantine, message=resent, reason="unterminated", raised_at="t2")
    entry = await laboratory.entry("1", message)
    await laboratory.add(schema.outbox_result, outbox=entry, result=result, destination="LIS")

    found: Story = await laboratory.store.view(statements.story(SITE, "T1"))
    assert [row.family for row in found.patients] == ["Durand"]
    assert [row.loinc for row in found.orders] == ["2823-3"]
    assert len(found.specimens) == 1
    assert [row.id for row in found.results] == [result]
    assert [row.id for row in found.messages] == [message, resent]
    assert {number: [row.seq for row in rows] for number, rows in found.frames.items()} == {
        message: [1, 2],
        resent: [1, 2, 3],
    }
    assert [row.id for row in found.sessions] == ["1", "2"]
    assert [len(rows) for rows in (found.repeats, found.verdicts, found.alerts)] == [1, 1, 1]
    assert [row.reason for row in found.quarantine] == ["unterminated"]
    assert [(row.control_id, row.result) for row in found.outbox] == [("1", result)]

    nothing = await laboratory.store.view(statements.story(SITE, "unknown"))
    assert not any(nothing)
    assert not any(await laboratory.store.view(statements.story("elsewhere", "T1")))


async def test_every_statement_of_the_list_runs(laboratory: Laboratory) -> None:
    for name, make in named().items():
        rows = await laboratory.ask(example(make))
        assert isinstance(rows, list), name
    assert (await laboratory.ask(Step(select(schema.result.c.id)))) == []


async def letter(laboratory: Laboratory, control_id: str, code: str, **values: Any) -> int:
    """An outbox message with one result of a test."""
    message = await laboratory.message()
    result = await laboratory.result(message, control_id, "released", code=code)
    entry = await laboratory.entry(control_id, message, **{"specimen": "T1"} | values)
    destination = values.get("destination", "LIS")
    await laboratory.add(schema.outbox_result, outbox=entry, result=result, destination=destination)
    return entry


async def sent(laboratory: Laboratory) -> list[str]:
    return sorted(row.control_id for row in await laboratory.ask(claim_outbox("t2", "t99")))


@pytest.mark.parametrize("state", ["held", "waiting", "claimed"])
async def test_a_message_never_overtakes_an_earlier_one_of_its_specimen_and_test(
    state: str, laboratory: Laboratory
) -> None:
    until = {"claimed_until": "t50"} if state == "claimed" else {"due_at": "t50"}
    first = await letter(laboratory, "first", "K", state=state, **until)
    await letter(laboratory, "urgent", "K", priority="S")
    await letter(laboratory, "other test", "NA")
    await letter(laboratory, "other tube", "K", specimen="T2")
    await letter(laboratory, "archive", "K", destination="archive")
    assert await sent(laboratory) == ["other test", "other tube"]
    await laboratory.ask(statements.outbox_delivered(first, at="t", receipt=b""))
    assert await sent(laboratory) == ["urgent"]


async def test_a_dead_letter_blocks_nobody(laboratory: Laboratory) -> None:
    await letter(laboratory, "first", "K", state="dead")
    await letter(laboratory, "second", "K")
    assert await sent(laboratory) == ["second"]


async def test_what_waits_of_an_urgent_tube_goes_with_it(laboratory: Laboratory) -> None:
    for name, tube in (("a", "T2"), ("b", "T1"), ("c", "T3")):
        await letter(laboratory, name, "K", specimen=tube)
    await laboratory.ask(statements.hurry(SITE, "LIS", "T1"))
    await letter(laboratory, "urgent", "K", priority="S", specimen="T1")
    (row,) = await laboratory.ask(claim_outbox("t2", "t99", limit=1))
    assert row.control_id == "b"
    await laboratory.ask(statements.outbox_delivered(row.id, at="t", receipt=b""))
    (row,) = await laboratory.ask(claim_outbox("t2", "t99", limit=1))
    assert row.control_id == "urgent"


async def test_delivered_is_what_has_arrived_everywhere(laboratory: Laboratory) -> None:
    first = await letter(laboratory, "first", "K")
    (row,) = await laboratory.ask(statements.results_listed(SITE))
    (brought,) = await laboratory.ask(Step(select(schema.result.c.message)))
    second = await laboratory.entry("second", brought.message, specimen="T1", destination="archive")
    await laboratory.add(schema.outbox_result, outbox=second, result=row.id, destination="archive")
    for entry, arrived in ((first, []), (second, [row.id])):
        await laboratory.ask(statements.outbox_delivered(entry, at="t", receipt=b""))
        assert [one.id for one in await laboratory.ask(statements.results_arrived(entry))] == arrived


async def test_a_kill_counts_against_the_work_that_was_under_way_alone(laboratory: Laboratory) -> None:
    """The others were claimed with it and not begun: a few kills must not make the rules give up on them."""
    entries = []
    for _ in range(3):
        message = await laboratory.message()
        entries.append(await laboratory.add(schema.work, message=message, due_at="t1", created_at="t1"))
    for kill in range(1, 4):
        rows = await laboratory.ask(claim_work("t2", "t9"))
        assert {row.id: row.attempts for row in rows} == {entries[0]: kill, entries[1]: 1, entries[2]: 1}
        await laboratory.ask(statements.release_work(SITE))
    await laboratory.ask(statements.finish_work(entries[0]))
    await laboratory.ask(claim_work("t2", "t9"))
    await laboratory.ask(statements.release_work(SITE))
    rows = await laboratory.ask(claim_work("t2", "t9"))
    assert {row.id: row.attempts for row in rows} == {entries[1]: 2, entries[2]: 1}
