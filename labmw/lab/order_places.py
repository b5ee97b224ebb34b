"""Where was a test ordered, or its specimen taken? The names that an order gives to that one place, by which routes to other laboratories may ask for it.

The first of the agreed fields that is filled decides, and no other is looked at: a ward of one hospital and a laboratory of another in one order are not
two places to choose from. An order that fills none of them comes from nowhere that is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.hl7.er7 import Segment

_NAMES: Final = {
    "ORC-21": ("ORC", 21, (1, 3, 10)),  # XON: name, number before 2.5, number
    "ORC-13": ("ORC", 13, (1, 4)),  # PL: point of care, facility
    "PV1-3": ("PV1", 3, (1, 4)),
}


def places_of(orc: Segment | None, pv1: Segment | None, fields: Sequence[str]) -> frozenset[str]:
    """The names of the place of an order, as sent; none where it names no place."""
    for field in fields:
        name, n, components = _NAMES[field]
        segment = orc if name == "ORC" else pv1
        if segment is None:
            continue
        found = {segment.component(n, component).strip() for component in components} - {"", '""'}
        if found:
            return frozenset(found)
    return frozenset()
