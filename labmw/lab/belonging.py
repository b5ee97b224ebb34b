"""Whose order is this? A barcode recycles: an order is for the tube that carries its number next, or then (law 6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from labmw.model import Specimen

_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def owners(tubes: Sequence[Specimen]) -> frozenset[str]:
    """The patients whose tubes have carried one number."""
    return frozenset([tube.patient for tube in tubes])


def owner_of(ordered: datetime | None, tubes: Sequence[Specimen]) -> str | None:
    """The patient whom something was ordered for on one number; None when that cannot be told.

    After the end of one tube an order is for the next: it may be older than the tube that it waits for. Without a moment, or where windows of
    two patients overlap, nobody can tell.
    """
    patients = owners(tubes)
    if len(patients) == 1:
        return next(iter(patients))
    if ordered is None:
        return None
    left = [tube for tube in tubes if ordered <= (tube.valid_to or _NEVER)]
    if not left:
        return None
    here = [tube for tube in left if (tube.valid_from or _EVER) <= ordered]
    if here:
        found = owners(here)
    else:
        first = min(tube.valid_from or _EVER for tube in left)
        found = owners([tube for tube in left if (tube.valid_from or _EVER) == first])
    return next(iter(found)) if len(found) == 1 else None
