"""Do the three readers of one tree agree? On nulls, zeros, extremes, near equals and bounds, for any tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any as Anything

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.quantity import Quantity
from rules.expression import columns, walk
from rules.expression.arithmetic import compare, less, point
from rules.expression.bounds import bounds
from rules.expression.compiled import compiled, edges
from rules.expression.tree import (
    All,
    Among,
    Any,
    Arithmetic,
    Call,
    Compare,
    Constant,
    Flagged,
    Missing,
    Name,
    Negative,
    Not,
    Number,
    conditions,
    flags,
    numbers,
    words,
)
from rules.expression.tree import Truth as Condition
from rules.interval import Interval, interval

NAMES = ("a", "b", "c")
EXTREME = [
    0.0, -0.0, 1.0, -1.0, 0.1, 0.30000000000000004, 0.3, 6.0, 6.000000001, 6.00000001, 5.999999999, 1e-9, 1e9, 1e-300, 5e-324, 1e300, -1e300,
    1.7976931348623157e308, -1.7976931348623157e308, 100.0, 3.5, 2.5, -2.5,
]  # fmt: skip
floats = st.sampled_from(EXTREME) | st.floats(allow_nan=False, allow_infinity=False)


def grow(inner: st.SearchStrategy[Number]) -> st.SearchStrategy[Number]:
    return st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner),
        st.builds(Negative, inner),
        st.builds(lambda one: Call("abs", (one,)), inner),
        st.builds(lambda one, digits: Call("round", (one,), digits), inner, st.integers(0, 6)),
        st.builds(lambda f, some: Call(f, tuple(some)), st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3)),
    )  # fmt: skip


measured: st.SearchStrategy[Number] = st.recursive(
    st.builds(Name, st.sampled_from(NAMES)) | st.builds(Constant, floats), grow, max_leaves=5
)
atoms = st.one_of(
    st.builds(Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), measured, measured),
    st.builds(Among, st.just("sex"), st.sampled_from([("F",), ("F", "M")])),
    st.builds(Flagged, st.sampled_from(["clot", "high"])),
    st.builds(Missing, measured | st.just("sex")),
)
trees: st.SearchStrategy[Condition] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda some: All(tuple(some)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda some: Any(tuple(some)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=4,
)
rows = st.fixed_dictionaries(
    {
        **{name: st.none() | floats for name in NAMES},
        "sex": st.sampled_from([None, "F", "M"]),
        "flags": st.sets(st.sampled_from(["clot", "high"])),
    }
)
spans = st.one_of(
    st.none(),
    st.builds(point, floats),
    st.builds(
        lambda number, sign: interval(Quantity(Decimal(number), sign)), floats, st.sampled_from(["<", "<=", ">", ">="])
    ),
)
bounded: st.SearchStrategy[dict[str, Anything]] = st.fixed_dictionaries(
    {**dict.fromkeys(NAMES, spans), "sex": st.sampled_from([None, "F", "M"]), "flags": st.just(set())}
)


def walked(tree: Condition, row: dict[str, Anything]) -> bool | None:
    exact = {
        name: row[name] if not isinstance(row[name], float) else Interval(row[name], row[name])
        for name in NAMES
    }  # fmt: skip
    return walk.truth(tree, walk.Known(exact, {"sex": row["sex"]}, frozenset(row["flags"])))


def run(tree: Condition, row: dict[str, Anything]) -> bool | None:
    made = compiled([tree])
    found = made.judge(
        [row[name] for name in made.numbers], [row[name] for name in made.words], frozenset(row["flags"])
    )
    return dict(found).get(0, False)


def frame(several: Sequence[dict[str, Anything]]) -> pl.DataFrame:
    table: dict[str, Anything] = {"sex": pl.Series([row["sex"] for row in several], dtype=pl.String)}
    for flag in ("clot", "high"):
        table[f"flag:{flag}"] = pl.Series([flag in row["flags"] for row in several], dtype=pl.Boolean)
    for name in NAMES:
        found = [row[name] for row in several]
        if all(value is None or isinstance(value, float) for value in found):
            table[name] = pl.Series(found, dtype=pl.Float64)
        for end, attribute in (("<", "low"), (">", "high"), ("<(", "low_open"), (">)", "high_open")):
            kind = pl.Boolean if "open" in attribute else pl.Float64
            ends = [None if value is None else getattr(_span(value), attribute) for value in found]
            table[f"{name}{end}"] = pl.Series(ends, dtype=kind)
    return pl.DataFrame(table)


def _span(value: float | Interval) -> Interval:
    return value if isinstance(value, Interval) else Interval(value, value)


def column(table: pl.DataFrame, made: pl.Expr) -> list[bool | None]:
    return table.with_columns(made.alias("found"))["found"].to_list()


@given(trees, st.lists(rows, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_known_numbers_are_judged_alike_by_all(tree: Condition, several: list[dict[str, Anything]]) -> None:
    told = [walked(tree, row) for row in several]
    assert [run(tree, row) for row in several] == told
    table = frame(several)
    assert column(table, columns.points(tree)) == told
    assert bounds(table, tree).to_list() == told


@given(trees, st.lists(bounded, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_bounds_are_judged_alike_in_columns(tree: Condition, several: list[dict[str, Anything]]) -> None:
    assert bounds(frame(several), tree).to_list() == [walked(tree, row) for row in several]


moderate = st.floats(0.01, 1000)


@given(
    st.sampled_from("+-*/"), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), moderate, moderate, moderate,
    st.sampled_from(["<", ">"]), st.floats(0.01, 0.99),
)  # fmt: skip
def test_what_holds_for_a_bound_holds_for_each_number_in_it(
    sign: Anything, than: Anything, limit: float, other: float, against: float, comparator: str, share: float
) -> None:
    tree = Compare(than, Arithmetic(sign, Name("a"), Name("b")), Constant(against))
    whole = interval(Quantity(Decimal(limit), comparator))
    inside = limit * share if comparator == "<" else limit / share
    no_flags: frozenset[str] = frozenset()
    said = walk.truth(tree, walk.Known({"a": whole, "b": point(other)}, {}, no_flags))
    one = walk.truth(tree, walk.Known({"a": point(inside), "b": point(other)}, {}, no_flags))
    assert said is None or said is one


@given(floats, floats)
def test_one_comparison_with_the_edge_is_law_10(limit: float, other: float) -> None:
    low, high = edges(limit)
    for value in (other, low, high, math.nextafter(low, -math.inf), math.nextafter(high, math.inf)):
        if math.isfinite(value):
            assert (value < low) is less(value, limit)
            assert (value > high) is less(limit, value)


@pytest.mark.parametrize(
    ("sign", "a", "b", "expected"),
    [
        ("<", "<0.1", "0.2", True), ("<", "<0.1", "0.1", True), ("<", "<0.1", "0.05", None), ("<", "<=0.1", "0.1", None), (">", ">100", "100", True),
        (">", "<0.1", "0.1", False), (">=", "<0.1", "0.1", False), ("==", "<0.1", "0.1", False), ("==", "<=0.1", "0.1", None), ("!=", "0.3", "0.30000000001", False),
        ("==", "<0.1", "0.05", None), ("<=", ">100", "50", False),
    ],
)  # fmt: skip
def test_bounds_against_numbers(sign: Anything, a: str, b: str, expected: bool | None) -> None:
    def read(text: str) -> Interval | None:
        number = text.lstrip("<>=")
        return interval(Quantity(Decimal(number), text.removesuffix(number)))

    assert compare(sign, read(a), read(b)) is expected


def test_a_reader_without_the_tolerance_would_be_noticed() -> None:
    """0.1 + 0.2 is 0.3 for a laboratory; plain binary64 says it is more."""
    tree = Compare(">", Arithmetic("+", Name("a"), Name("b")), Constant(0.3))
    row: dict[str, Anything] = {"a": 0.1, "b": 0.2, "c": None, "sex": None, "flags": set()}
    assert walked(tree, row) is False
    assert run(tree, row) is False
    assert (0.1 + 0.2 > 0.3) is True


def test_what_a_tree_is_about() -> None:
    tree = Any(
        (All((Compare(">", Name("a"), Constant(1.0)), Flagged("clot"))), Not(Among("sex", ("F",))), Missing("ward"))
    )
    assert (numbers(tree), words(tree), flags(tree)) == (("a",), ("sex", "ward"), ("clot",))
    assert len(conditions(tree)) == 4
    assert str(tree) == 'a > 1 and "clot" in flags or not (sex == "F") or is_missing(ward)'
    inner = All((tree, Missing(Call("round", (Arithmetic("-", Name("a"), Arithmetic("-", Name("b"), Name("c"))),), 2))))
    assert str(inner).endswith("and is_missing(round(a - (b - c), 2))")
    assert (
        str(Compare("<", Negative(Arithmetic("+", Name("a"), Name("b"))), Call("abs", (Name("c"),))))
        == "-(a + b) < abs(c)"
    )


def test_a_trace_shows_every_condition_also_when_one_decides() -> None:
    tree = All(
        (Compare(">", Name("a"), Constant(6.0)), Compare("<", Name("b"), Constant(1.9)), Among("sex", ("F", "M")))
    )
    trace: list[str] = []
    found = walk.truth(tree, walk.Known({"a": point(5.0), "b": None}, {}, frozenset()), trace)
    assert found is False
    assert trace == [
        "a > 6 [5 vs 6] -> false",
        "b < 1.9 [missing vs 1.9] -> unknown",
        'sex in ("F", "M") [missing] -> unknown',
    ]


A, B, TWO = Name("a"), Name("b"), Constant(2.0)
EVERY: list[Condition] = [
    *(Compare(sign, left, right) for sign in ("<", "<=", ">", ">=", "==", "!=") for left, right in ((A, B), (A, TWO), (TWO, A), (TWO, TWO), (Negative(A), Call("abs", (B,))))),
    Missing(TWO), Missing(Arithmetic("/", A, B)), Missing("sex"), Not(Missing(A)), Among("sex", ("F", "M")), Flagged("clot"),
    Compare(">", Arithmetic("/", A, Constant(0.0)), TWO), Compare(">", Arithmetic("/", A, Constant(-2.0)), Constant(-1.0)), Compare(">", Arithmetic("/", A, Arithmetic("*", B, B)), TWO),
    Compare("<", Call("min", (A, Arithmetic("*", B, B), TWO)), Call("max", (A, B))), Compare("==", Call("round", (A,), 2), Call("round", (B,))),
    All((Compare("<", A, B), Any((Flagged("high"), Compare("<", B, TWO))))),
]  # fmt: skip


def test_every_kind_of_node_on_every_kind_of_number() -> None:
    """What Hypothesis finds by chance, once for certain."""
    values = [None, 0.0, 2.0, 2.000000001, -3.5, 0.125, 1e300, -1e300]
    several: list[dict[str, Anything]] = [
        {"a": a, "b": b, "c": None, "sex": sex, "flags": flags}
        for a in values
        for b in values
        for sex, flags in (("F", {"clot"}), (None, set()))
    ]
    table = frame(several)
    for tree in EVERY:
        told = [walked(tree, row) for row in several]
        assert [run(tree, row) for row in several] == told, str(tree)
        assert column(table, columns.points(tree)) == told, str(tree)
        assert bounds(table, tree).to_list() == told, str(tree)
