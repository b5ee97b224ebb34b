"""Is every number that a statement is given sent to PostgreSQL with its 64 bits? That of a result has more than 32 after some thousand messages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import BigInteger, Integer, bindparam, select
from sqlalchemy.sql import ClauseElement, visitors

from labmw.lab.rows import STRIDE
from labmw.store import open_reader, schema, statements
from labmw.store.statements import interlab, lookback
from labmw.store.transaction import Step, ask

FAR = 40_000 * STRIDE
"""The first result of the forty-thousandth message."""
SMALL = {"new_main", "new_ordinal", "new_record"}
"""What is a yes or no, or a place in one message."""


def declared() -> Iterator[tuple[str, ClauseElement]]:
    """Every statement and part of one that a module of the store holds."""
    for found in pkgutil.iter_modules(statements.__path__, "labmw.store.statements."):
        for name, one in vars(importlib.import_module(found.name)).items():
            if isinstance(one, ClauseElement):
                yield f"{found.name}.{name}", one


def narrow(part: ClauseElement) -> list[str]:
    """The values of it that PostgreSQL would be told to take for numbers of 32 bits."""
    return [
        str(one.key)
        for one in visitors.iterate(part)
        if isinstance(one, type(bindparam("x")))
        and not one.literal_execute
        and not one.unique
        and one.key not in SMALL
        and isinstance(one.type, Integer)
        and not isinstance(one.type, BigInteger)
    ]


def test_no_statement_takes_a_short_number() -> None:
    parts = dict(declared())
    assert len(parts) > 200
    assert {name: found for name, part in parts.items() if (found := narrow(part))} == {}


def test_a_short_number_would_be_noticed() -> None:
    short = select(schema.result.c.id).where(schema.result.c.id.in_(bindparam("n", type_=Integer(), expanding=True)))
    assert narrow(short) == ["n"]


@pytest.mark.parametrize(
    "step", [interlab.performed_of_results([FAR]), lookback.left_of([FAR])], ids=["performed", "lookback"]
)
def test_a_result_of_a_late_message_can_be_asked_for(step: Step, url: str) -> None:
    with open_reader(url) as reader:
        assert reader.look(lambda: ask(step)) == []
