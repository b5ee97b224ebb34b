"""The web side: it answers while the store is well, says why when it is not, and never tells anything of patients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from labmw.clock import Clock, stamp
from labmw.config import Config, Link, Lis, Site, Store
from labmw.console import web
from labmw.console.collector import FRESH
from labmw.store import SqliteStore, Transaction, migrate, schema, statements

NOW = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: NOW + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    url = f"sqlite:///{tmp_path / 'labmw.db'}"
    link = Link(name="counter", listen="127.0.0.1:0")
    return Config(site=Site(id="TEST"), store=Store(url=url), link=[link], lis=Lis(connect="127.0.0.1:1"))


@pytest.fixture
def client(config: Config, hands: Hands) -> TestClient:
    return TestClient(web.build(config, hands.clock))


def keep(config: Config, *rows: Callable[[], Transaction[None]]) -> None:
    async def run() -> None:
        store = SqliteStore(config.store.url)
        await store.start()
        for one in rows:
            await store.run(one())
        await store.stop()

    migrate(config.store.url)
    asyncio.run(run())


def beat() -> Transaction[None]:
    yield statements.insert_or_update(schema.link_state, site="TEST", link="counter", updated_at=stamp(NOW))


def something() -> Transaction[None]:
    """A result in quarantine, one delivered, one alert, and two messages that wait, one of them for an hour."""
    message = (
        yield statements.insert(
            schema.message,
            site="TEST",
            link="counter",
            direction=">",
            protocol="astm",
            received_at=stamp(NOW),
            raw=b"H",
            digest="d",
        )
    )[0].id
    ids = []
    for number, state in enumerate(("quarantined", "delivered", "held")):
        ids.append(
            (
                yield statements.insert(
                    schema.result, site="TEST", key=f"k{number}", identity=f"k{number}", message=message, link="counter",
                    specimen="SECRET-1", patient="SECRET-2", value="SECRET-3", received_at=stamp(NOW), state=state,
                )
            )[0].id
        )  # fmt: skip
    yield statements.insert(
        schema.quarantine, site="TEST", message=message, result=ids[0], reason="no-order", raised_at=stamp(NOW)
    )
    yield statements.insert(schema.alert, site="TEST", result=ids[2], kind="critical", raised_at=stamp(NOW))
    for control, age in (("A", 3600), ("B", 60)):
        yield statements.insert(
            schema.outbox, site="TEST", destination="LIS", control_id=control, message=message, due_at=stamp(NOW),
            created_at=stamp(NOW - timedelta(seconds=age)),
        )  # fmt: skip


def test_healthy_as_long_as_the_lines_process_writes(config: Config, client: TestClient, hands: Hands) -> None:
    keep(config, beat)
    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz").json() == {"status": "ok"}
    hands.seconds = 61
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "ill", "reasons": ["the lines process has written nothing for 61 s"]}


def test_ill_without_a_store_and_before_the_first_beat(config: Config, client: TestClient) -> None:
    assert client.get("/healthz").status_code == 503
    keep(config)
    assert client.get("/healthz").json()["reasons"] == ["the lines process has written nothing yet"]


def test_the_figures_of_the_store(config: Config, client: TestClient) -> None:
    keep(config, beat, something)
    text = client.get("/metrics").text
    for line in (
        "labmw_store_readable 1.0",
        'labmw_outbox_depth{destination="LIS",state="waiting"} 2.0',
        'labmw_outbox_depth{destination="LIS",state="dead"} 0.0',
        'labmw_outbox_oldest_seconds{destination="LIS"} 3600.0',
        'labmw_results_stored{state="delivered"} 1.0',
        'labmw_quarantine_open{reason="no-order"} 1.0',
        'labmw_alerts_open{kind="critical"} 1.0',
    ):
        assert line in text.splitlines(), line
    assert "SECRET" not in text


def test_an_empty_outbox_is_shown_as_empty(config: Config, client: TestClient) -> None:
    keep(config)
    text = client.get("/metrics").text
    assert 'labmw_outbox_depth{destination="LIS",state="waiting"} 0.0' in text
    assert 'labmw_outbox_oldest_seconds{destination="LIS"} 0.0' in text


def test_without_a_store_the_page_still_answers(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200 and "labmw_store_readable 0.0" in answer.text


def test_a_storm_of_scrapes_is_one_question(config: Config, client: TestClient, hands: Hands) -> None:
    keep(config)
    assert "labmw_work_waiting{" not in client.get("/metrics").text
    keep(config, something)
    assert "labmw_quarantine_open{" not in client.get("/metrics").text  # still the answer of a moment ago
    hands.seconds = FRESH
    assert "labmw_quarantine_open{" in client.get("/metrics").text


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path in ("/metrics", "/healthz", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    assert client.post("/metrics").status_code == 405
