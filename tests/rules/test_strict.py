"""Strict tables: nothing that was mistyped is ever ignored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from labmw.errors import PackError
from rules.strict import Table, nearest, refusal

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def table(**data: Any) -> Table:
    return Table("pack.toml", "rule[1] (X)", data)


def test_what_is_there_is_given() -> None:
    one = table(a=" text ", b=["x", "y"], c=Decimal("1.5"), d={"u": 2}, e=NOW, f={}, g=[{"id": "N"}, {"name": "M"}, {}])
    assert one.text("a") == "text"
    assert one.texts("b") == ("x", "y")
    assert one.number("c") == Decimal("1.5")
    assert one.numbers("d", "") == {"u": Decimal(2)}
    assert one.moment("e", "") == NOW
    assert one.table("f", "").where == "rule[1] (X).f"
    assert [inner.where for inner in one.tables("g")] == [
        "rule[1] (X).g[1] (N)",
        "rule[1] (X).g[2] (M)",
        "rule[1] (X).g[3]",
    ]
    one.done()


def test_what_may_be_left_out() -> None:
    one = table()
    assert one.text("a", default="d") == "d"
    assert one.word("b", ("x", "y"), "x") == "x"
    assert one.texts("c") == ()
    assert one.tables("d") == []
    assert not one.has("e")
    assert one.names() == ()
    one.done()


def test_numbers_may_be_one_number() -> None:
    assert table(a=5).numbers("a", "") == Decimal(5)


@pytest.mark.parametrize(
    ("data", "read", "what"),
    [
        ({}, lambda t: t.text("a"), "a: is missing"),
        ({"a": 5}, lambda t: t.text("a"), "5 is not a text"),
        ({"a": "  "}, lambda t: t.text("a"), "is not a text"),
        ({"a": "xx"}, lambda t: t.word("a", ("x", "yyyy")), "did you mean 'x'"),
        ({"a": "zzz"}, lambda t: t.word("a", ("x", "y")), "known are x, y"),
        ({"a": "x"}, lambda t: t.texts("a"), "is not a list of texts"),
        ({"a": []}, lambda t: t.texts("a"), "is not a list of texts"),
        ({"a": ["x", 1]}, lambda t: t.texts("a"), "is not a list of texts"),
        ({"a": ["x", ""]}, lambda t: t.texts("a"), "is not a list of texts"),
        ({"a": ["x", "x"]}, lambda t: t.texts("a"), "names something twice"),
        ({"a": "1"}, lambda t: t.number("a"), "'1' is not a number"),
        ({"a": True}, lambda t: t.number("a"), "'True' is not a number"),
        ({"a": Decimal("nan")}, lambda t: t.number("a"), "is not a number"),
        ({"a": Decimal("inf")}, lambda t: t.number("a"), "is not a number"),
        ({"a": Decimal("1e999999999")}, lambda t: t.number("a"), "no number that a laboratory measures"),
        ({"a": Decimal("1e-31")}, lambda t: t.number("a"), "no number that a laboratory measures"),
        ({"a": {}}, lambda t: t.numbers("a", "r"), "is an empty table"),
        ({"a": {"u": "x"}}, lambda t: t.numbers("a", "r"), "a.u: 'x' is not a number"),
        ({"a": NOW.replace(tzinfo=None)}, lambda t: t.moment("a", "r"), "with its offset"),
        ({"a": "2026-01-01"}, lambda t: t.moment("a", "r"), "with its offset"),
        ({"a": 5}, lambda t: t.table("a", "r"), "rule[1] (X).a: is not a table"),
        ({"a": 5}, lambda t: t.tables("a"), "is not an array of tables"),
        ({"a": [5]}, lambda t: t.tables("a"), "rule[1] (X).a[1]: is not a table"),
        ({"valeu": 5}, lambda t: (t.text("value", default="x"), t.done()), "did you mean 'value'"),
        ({"value": 5}, lambda t: t.done(), "is not a known key"),
    ],
)
def test_every_mistake_is_named(data: dict[str, Any], read: Callable[[Table], object], what: str) -> None:
    with pytest.raises(PackError) as caught:
        read(table(**data))
    assert str(caught.value).startswith("pack.toml: rule[1] (X)")
    assert what in str(caught.value)
    assert "; " in str(caught.value)


def test_the_top_of_a_file_has_no_place() -> None:
    with pytest.raises(PackError, match=r"^f: k: is missing"):
        Table("f", "", {}).text("k")
    assert str(Table("f", "", {"t": {}}).table("t", "").refuse("k", "p", "r")) == "f: t.k: p; r"
    assert [one.where for one in Table("f", "", {"t": [{}]}).tables("t")] == ["t[1]"]
    assert str(refusal("f", "", "p", "r")) == "f: p; r"
    assert nearest("q", ()) == "known are "
