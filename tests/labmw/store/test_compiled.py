"""Statements become text once, and values find their places."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from labmw.errors import StoreError
from labmw.store.compiled import Compiler
from labmw.store.schema import journal, material
from labmw.store.together import TOLD_BY


def compiler() -> Compiler:
    return Compiler(sqlite.dialect(paramstyle="qmark"))


def test_an_insert_takes_the_columns_that_are_given() -> None:
    compiled = compiler()(insert(journal), {"data": b"x", "site": "s"})
    assert compiled.text == "INSERT INTO journal (site, data) VALUES (?, ?)"
    assert compiled.values({"data": b"x", "site": "s"}) == ("s", b"x")
    assert compiled.row == "(?, ?)"
    assert not compiled.rows


def test_the_same_statement_is_compiled_once() -> None:
    compile_, statement = compiler(), insert(journal)
    assert compile_(statement, {"site": "a"}) is compile_(statement, {"site": "b"})
    assert compile_(statement, {"site": "a"}) is not compile_(statement, {"link": "b"})


def test_values_of_the_statement_itself() -> None:
    statement = select(journal.c.id).where(journal.c.site == "here", journal.c.link == bindparam("which"))
    compiled = compiler()(statement, {"which": "x"})
    assert compiled.values({"which": "y"}) == ("here", "y")
    assert compiled.rows
    rows = [{"which": "a"}, {"which": "b"}]
    assert compiled.all_values(rows) == [("here", "a"), ("here", "b")]


def test_returning_answers_rows() -> None:
    assert compiler()(insert(journal).returning(journal.c.id), {"site": "s"}).rows
    assert not compiler()(update(journal).values(site=bindparam("new")), {"new": "s"}).rows


def test_rows_that_their_answers_tell_apart_are_inserted_as_one() -> None:
    told = insert(journal).returning(journal.c.session).execution_options(**{TOLD_BY: "session"})
    compiled = compiler()(told, {"site": "s", "session": "a"})
    assert compiled.repeated(2) == "INSERT INTO journal (site, session) VALUES (?, ?), (?, ?) RETURNING session"
    assert compiled.repeated(1) == compiled.text


def test_rows_whose_answers_say_nothing_of_whose_they_are_stay_apart() -> None:
    """The variant: several rows at once are answered in any order, and an id alone would be given to the wrong one."""
    assert not compiler()(insert(journal).returning(journal.c.id), {"site": "s"}).row


@pytest.mark.parametrize("given_names", [{}, {"other": "x"}])
def test_a_value_that_is_missing_is_named(given_names: dict[str, Any]) -> None:
    statement = select(journal).where(journal.c.site == bindparam("which"))
    with pytest.raises(StoreError, match=r"which.*report it"):
        compiler()(statement, given_names).values(given_names)


def test_a_value_missing_in_a_later_row_is_named() -> None:
    compiled = compiler()(insert(journal), {"site": "s"})
    with pytest.raises(StoreError, match=r"site.*report it"):
        compiled.values({"link": "x"})


def test_a_column_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(StoreError, match=r"journal has no column ite.*report it"):
        compiler()(insert(journal), {"ite": "s", "link": "l"})


def test_building_statements_anew_does_not_fill_the_memory() -> None:
    compile_ = compiler()
    for number in range(3000):
        assert compile_(select(journal).where(journal.c.id == number), {}).values({}) == (number,)
    assert len(compile_._raw) <= 1024
    assert len(compile_._known) <= 1024


LIST = select(material.c.identifier).where(
    material.c.site == bindparam("site"), material.c.identifier.in_(bindparam("wanted", expanding=True))
)


@given(st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=110), min_size=1, max_size=2), max_size=40))
def test_a_list_finds_exactly_its_members(wanted: list[str]) -> None:
    there = {"a", "b", "cd", "n"}
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE material (site TEXT, identifier TEXT)")
        database.executemany("INSERT INTO material VALUES ('s', ?)", [(one,) for one in there])
        values = {"site": "s", "wanted": wanted}
        compiled = compiler()(LIST, values)
        found = {row[0] for row in database.execute(compiled.text, compiled.values(values))}
    database.close()
    assert found == there & set(wanted)


def test_lists_of_many_lengths_make_few_texts() -> None:
    compile_ = compiler()
    for size in range(200):
        values = {"site": "s", "wanted": [str(number) for number in range(size)]}
        assert len(compile_(LIST, values).values(values)) >= size + 1
    assert len(compile_._known) <= 10
    values = {"site": "s", "wanted": [str(number) for number in range(31_000)]}
    assert len(compile_(LIST, values).values(values)) < 32_766  # SQLite's default limit


def test_postgresql_takes_the_same_statement() -> None:
    dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
    values = {"site": "s", "wanted": ["a", "b", "c"]}
    compiled = Compiler(dialect)(LIST, values)
    assert "$5" in compiled.text
    assert compiled.values(values) == ("s", "a", "b", "c", "c")
