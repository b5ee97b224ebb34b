"""What was measured before of the same patients and tests, and beside it on the same tubes? What delta checks and indices compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from labmw.clock import read_stamp, stamp
from labmw.lab.nouns import quantity_of
from labmw.model import Flag, HilIndices, Previous
from labmw.partner import BY_PARTNER
from labmw.store import statements
from labmw.store.transaction import Row, Transaction
from rules.checks.hil import INDICES
from rules.guards import CORRECTED, FINAL, IN_DOUBT

HISTORY = timedelta(days=366)
HISTORY_DEPTH = 5


def indices_of(rows: Sequence[Row]) -> dict[tuple[str, str, str], HilIndices]:
    """The newest serum indices by analyzer, tube and patient: a barcode that was used before brings none of the tube it was on (law 6).

    One that its own analyzer doubts, or has not finished, is not known.
    """
    newest: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        newest.setdefault((row.analyzer, row.specimen, row.patient), {})[row.serum_index] = row
    found = {}
    for key, known in newest.items():
        sound = {index: row for index, row in known.items() if row.number and not _in_doubt(row)}
        numbers = {INDICES[index][0]: Decimal(row.number) for index, row in sound.items()}
        beyond = frozenset(INDICES[index][0] for index, row in sound.items() if row.comparator.startswith(">"))
        found[key] = HilIndices(**numbers, beyond=beyond)
    return found


def _in_doubt(row: Row) -> bool:
    return row.status not in FINAL | CORRECTED or any(
        Flag(flag) in IN_DOUBT or Flag(flag) is Flag.UNKNOWN for flag in json.loads(row.flags)
    )


def history_of(
    site: str, rows: Sequence[Row], owners: Sequence[str], now: str
) -> Transaction[dict[tuple[str, str], list[Previous]]]:
    """What was found before of the same patients and tests: our own releases, and what the LIS gave us."""
    found: dict[tuple[str, str], list[Previous]] = {}
    if not owners:
        return found
    loincs = sorted({row.loinc for row in rows})
    performer = rows[0].analyzer if rows[0].driver in BY_PARTNER else ""  # a delta stays within one laboratory
    since = stamp(read_stamp(now) - HISTORY)
    before = min((row.completed_at for row in rows if row.completed_at), default=now)
    for row in (yield statements.imported_history(site, owners, loincs, since=since, before=before)):
        if performer and row.laboratory != performer:
            continue
        if (quantity := quantity_of(row.number, row.comparator, row.unit)) is not None:
            one = Previous(quantity, read_stamp(row.completed_at), row.analyzer, row.method, row.laboratory)
            found.setdefault((row.patient, row.loinc), []).append(one)
    for row in (yield statements.own_history(site, owners, loincs, since=since, before=before)):
        if performer != (row.analyzer if row.driver in BY_PARTNER else ""):
            continue
        if (quantity := quantity_of(row.number, row.comparator, row.unit)) is not None:
            one = Previous(quantity, read_stamp(row.completed_at), row.analyzer)
            found.setdefault((row.patient, row.loinc), []).append(one)
    for earlier in found.values():
        earlier.sort(key=lambda previous: previous.completed, reverse=True)
        del earlier[HISTORY_DEPTH:]
    return found
