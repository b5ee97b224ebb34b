"""An added test that the LIS refuses comes back to a person with the reason, and nobody measures it; one that it takes stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judging import bench
from packs import CA, MG, K, low, potassium, two

from labmw.delivery import adding
from labmw.delivery.adding import refused_in
from labmw.delivery.receipts import delivered
from labmw.delivery.settling import Settling
from labmw.dialect import DIALECTS
from labmw.lab.practice import Practice
from labmw.store import statements
from labmw.store.transaction import Transaction, ask

ADD = f'action = ["add-on:{MG}"]\nprotocol = "P-1"'
HEAD = b"MSH|^~\\&|LIS|L|LABMW|L|20261101||ORL^O22^ORL_O22|1|P|2.5.1\rMSA|AA|X|"


@pytest.mark.parametrize(
    ("why", "receipt", "told"),
    [
        ("the receiver answered AE: unknown test", b"", "the receiver answered AE: unknown test"),
        ("", HEAD + b"\rORC|UA||ADD-1", "ORC-1 UA: unable to accept the order"),
        ("", HEAD + b"not prescribed\rORC|CR||ADD-1", "ORC-1 CR: not prescribed"),
        ("", HEAD + b"\rORC|OK||ADD-1", ""),
        ("", b"MSH|^~\\&|LIS\rMSA|AA|X", ""),
        ("", b"\xff not HL7", ""),
    ],
)
async def test_what_the_lis_says_of_an_added_test(tmp_path: Path, why: str, receipt: bytes, told: str) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(ADD), protocols=("P-1",)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(lis="LIS")
        await one.judged(potassium("3.2"))
        [(name,)] = one.ask("SELECT control_id FROM outbox WHERE id = (SELECT outbox FROM added_test)")

        def answered() -> Transaction[None]:
            (row,) = yield from ask(statements.outbox_by_control_id("TEST", str(name)))
            if not why:
                yield from delivered("TEST", row.id, "2026-11-01T08:00:01.000000Z", receipt)
            yield from Settling("TEST", DIALECTS["ltw"]).after(row, b"", why, "2026-11-01T08:00:01.000000Z")

        await one.run(answered())
        tasks = [(kind, json.loads(str(facts))["why"]) for kind, facts in one.ask("SELECT kind, facts FROM task")]
        assert tasks == ([(adding.REFUSED, told)] if told else [])
        assert one.ask('SELECT state FROM "order" WHERE loinc = ?', MG) == [("cancelled" if told else "open",)]
        # What refuses is said once; whoever asks for it again finds the action done, and adds nothing.
        await one.judged(potassium("3.1", minutes=5))
        assert one.ask('SELECT state FROM "order" WHERE loinc = ?', MG) == [("cancelled" if told else "open",)]


async def test_the_answer_about_results_raises_nothing(tmp_path: Path) -> None:
    """The variant that looks at every message: results refused are dead letters, and no test was added by them."""
    async with bench(tmp_path, packs=two(tmp_path / "two"), loincs=(K, CA)) as one:
        await one.judged(potassium("4.2"))
        [(name,)] = one.ask("SELECT control_id FROM outbox")

        def answered() -> Transaction[None]:
            (row,) = yield from ask(statements.outbox_by_control_id("TEST", str(name)))
            yield from Settling("TEST", DIALECTS["ltw"]).after(row, b"", "AE", "2026-11-01T08:00:01.000000Z")

        await one.run(answered())
        assert one.ask("SELECT count(*) FROM task") == [(0,)]


def test_the_reason_of_the_order_goes_before_the_text_of_the_message() -> None:
    assert refused_in(HEAD + b"all well\rORC|UA|||||||||||||||stopped^test closed") == "ORC-1 UA: stopped^test closed"
