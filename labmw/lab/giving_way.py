"""Which sub-orders give way to which, and how is that said? A replaced one and those that replace it in one message (RP, RO), or each on its own (CA, NW)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from labmw.store.transaction import Row
from protocols.hl7.ltw_values import Action, OrderRequest

Said = list[tuple[Row, str, str]]
"""Sub-orders with ORC-1 and ORC-5, as one message says them."""


@dataclass(frozen=True, slots=True)
class GivingWay:
    """A sub-order that is taken back because others replace it, and the LIS's numbers of the orders that do."""

    row: Row
    by: frozenset[str]


@dataclass(frozen=True, slots=True)
class Going:
    """A sub-order that leaves now, and the LIS's number of its order."""

    row: Row
    placer: str


def replacing(orders: Sequence[OrderRequest], at: int) -> frozenset[str]:
    """The numbers of the orders that replace the one at this place: those with RO that follow it, before the next that is not replaced or replacing.

    HL7 2.5.1, 4.5.1.1: orders to be replaced (RP) come first, then the replacements (RO).
    """
    found: list[str] = []
    for one in orders[at + 1 :]:
        if one.action is Action.REPLACE and not found:
            continue
        if one.action is not Action.REPLACEMENT:
            break
        named = one.placer or one.filler
        found += [named.id.strip()] if named is not None else []
    return frozenset(found)


def pair(
    giving_way: Sequence[GivingWay], leaving: Mapping[tuple[str, str], Sequence[Going]], pairing: AbstractSet[str]
) -> tuple[dict[tuple[str, str], Said], list[Row]]:
    """What one message says to each partner of each tube, and the replaced sub-orders that are taken back on their own.

    `pairing` are the partners that are told RP with RO. A replacement that does not leave now, or for somebody else, is none to the partner that had the first.
    """
    said: dict[tuple[str, str], Said] = {}
    told: set[int] = set()
    for (partner, tube), going in leaving.items():
        pairs: Said = []
        new: Said = []
        for one in going:
            mine = [old.row for old in giving_way if old.row.partner == partner and one.placer in old.by]
            if not mine or partner not in pairing:
                new.append((one.row, "NW", ""))
                continue
            pairs += [(row, "RP", "") for row in mine if row.id not in told]
            pairs.append((one.row, "RO", ""))
            told |= {row.id for row in mine}
        said[partner, tube] = pairs + new
    alone = [old.row for old in giving_way if old.row.id not in told]
    return said, alone
