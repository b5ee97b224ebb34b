"""The tables of three-valued logic, and that unknown is never quietly false."""

from __future__ import annotations

import itertools

import pytest

from rules.kleene import Truth, agreement, both, either, negation, word

ALL: tuple[Truth, ...] = (True, False, None)


def worlds(truth: Truth) -> set[bool]:
    """What an unknown may turn out to be."""
    return {True, False} if truth is None else {truth}


@pytest.mark.parametrize("a", ALL)
@pytest.mark.parametrize("b", ALL)
def test_tables_are_what_every_possible_world_says(a: Truth, b: Truth) -> None:
    for operation, boolean in ((both, bool.__and__), (either, bool.__or__)):
        outcomes = {boolean(x, y) for x, y in itertools.product(worlds(a), worlds(b))}
        assert operation(a, b) == (outcomes.pop() if len(outcomes) == 1 else None)
        assert operation(a, b) == operation(b, a)


@pytest.mark.parametrize("a", ALL)
def test_negation_keeps_the_unknown(a: Truth) -> None:
    assert negation(negation(a)) == a
    assert (negation(a) is None) == (a is None)


@pytest.mark.parametrize("a", ALL)
@pytest.mark.parametrize("b", ALL)
def test_de_morgan(a: Truth, b: Truth) -> None:
    assert negation(both(a, b)) == either(negation(a), negation(b))


def test_agreement_needs_all_worlds() -> None:
    assert agreement([True, True]) is True
    assert agreement([False]) is False
    assert agreement([True, False]) is None
    assert agreement([False, None]) is None
    assert agreement([None]) is None
    assert agreement([]) is None


def test_words() -> None:
    assert [word(one) for one in ALL] == ["true", "false", "unknown"]
