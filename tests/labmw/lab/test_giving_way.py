"""Which sub-orders give way to which? Pairs stay together, and what has no counterpart at the same partner is taken back on its own."""

from __future__ import annotations

from typing import cast

from labmw.lab.giving_way import GivingWay, Going, Said, pair, replacing
from labmw.store.transaction import Row
from protocols.hl7.datatypes import EntityId
from protocols.hl7.ltw_values import Action, OrderRequest


class Named:
    """As much of a row as is looked at."""

    def __init__(self, number: int, partner: str = "P") -> None:
        self.id, self.partner = number, partner


def row(number: int, partner: str = "P") -> Row:
    return cast(Row, Named(number, partner))


def order(action: Action, number: str) -> OrderRequest:
    return OrderRequest(action, "", None, EntityId(number))


def told(said: Said) -> list[tuple[int, str]]:
    return [(one.id, control) for one, control, _ in said]


def test_replacements_are_those_that_follow() -> None:
    rp, ro, nw = Action.REPLACE, Action.REPLACEMENT, Action.NEW
    orders = [order(rp, "1"), order(rp, "2"), order(ro, "3"), order(ro, "4"), order(rp, "5"), order(ro, "6")]
    assert [replacing(orders, at) for at in (0, 1, 4)] == [{"3", "4"}, {"3", "4"}, {"6"}]
    assert replacing([order(rp, "1"), order(nw, "2"), order(ro, "3")], 0) == frozenset()
    assert replacing([order(rp, "1")], 0) == frozenset()


def test_each_pair_stands_together_and_what_is_new_comes_last() -> None:
    giving = [GivingWay(row(1), frozenset({"A"})), GivingWay(row(2), frozenset({"B", "C"}))]
    leaving = {("P", "T"): [Going(row(10), "N"), Going(row(11), "A"), Going(row(12), "B"), Going(row(13), "C")]}
    said, alone = pair(giving, leaving, frozenset({"P"}))
    assert told(said["P", "T"]) == [(1, "RP"), (11, "RO"), (2, "RP"), (12, "RO"), (13, "RO"), (10, "NW")]
    assert alone == []


def test_another_partner_or_one_that_does_not_pair_is_told_on_its_own() -> None:
    giving = [GivingWay(row(1), frozenset({"A"})), GivingWay(row(2, "Q"), frozenset({"B"}))]
    leaving = {("P", "T"): [Going(row(11), "B")], ("Q", "T"): [Going(row(12, "Q"), "B")]}
    said, alone = pair(giving, leaving, frozenset({"P"}))
    assert [told(one) for one in said.values()] == [[(11, "NW")], [(12, "NW")]]
    assert [one.id for one in alone] == [1, 2]
