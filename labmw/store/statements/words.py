"""Which words do the statements share?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, LargeBinary, Text, and_, bindparam, literal, or_


def given(name: str) -> BindParameter[str]:
    """A text that is given when the statement is run."""
    return bindparam(name, type_=Text())


def given_number(name: str) -> BindParameter[int]:
    """A number that is given when the statement is run."""
    return bindparam(name, type_=BigInteger())  # the number of a row needs its 64 bits in PostgreSQL


def given_bytes(name: str) -> BindParameter[bytes]:
    """Bytes that are given when the statement is run."""
    return bindparam(name, type_=LargeBinary())


def given_texts(name: str) -> BindParameter[Any]:
    """A list of texts, for IN."""
    return bindparam(name, type_=Text(), expanding=True)


def given_numbers(name: str) -> BindParameter[Any]:
    """A list of numbers, for IN; the number of a result has more than 32 bits soon."""
    return bindparam(name, type_=BigInteger(), expanding=True)


def is_one_of(column: ColumnElement[Any], *states: str) -> ColumnElement[bool]:
    """The column has one of these values, written into the text: a partial index is only used for what the planner can read."""
    if len(states) == 1:
        return column == literal(states[0], Text(), literal_execute=True)
    return column.in_(bindparam(None, list(states), type_=Text(), expanding=True, literal_execute=True))


def is_not(column: ColumnElement[Any], *states: str) -> ColumnElement[bool]:
    """The column has none of these values, each said on its own, as the partial indexes say it."""
    return and_(*(column != literal(state, Text(), literal_execute=True) for state in states))


def is_free(claimed_until: ColumnElement[Any]) -> ColumnElement[bool]:
    """Nobody has claimed it, or the claim has run out: a dead process's claims come back by themselves."""
    return or_(claimed_until.is_(None), claimed_until <= given("now"))
