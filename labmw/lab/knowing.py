"""What does the store know that bears on a message: its tubes and their patients, what was ordered, and what came before?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labmw.clock import stamp
from labmw.driver.reading import Reading
from labmw.lab.belonging import owner_of, owners
from labmw.lab.nouns import moment_of, patient_of, specimen_of
from labmw.lab.placement import NOTHING_KNOWN, Earlier, Known, registered_at
from labmw.line.received import ACKNOWLEDGED, Received
from labmw.model import Disposition, Specimen
from labmw.store import statements
from labmw.store.transaction import Transaction


def known_about(site: str, received: Received, reading: Reading, identities: Sequence[str]) -> Transaction[Known]:
    """Ask the store what bears on this message; of one that is quarantined whole, only whose it is and whether it came before."""
    tubes = sorted({read.specimen for read in reading.results if read.specimen})
    if not identities:
        return NOTHING_KNOWN
    specimens: dict[str, list[Specimen]] = {}
    for row in (yield statements.specimens_among(site, tubes)) if tubes else ():
        specimens.setdefault(row.identifier, []).append(specimen_of(row))
    known_owners = sorted({tube.patient for found in specimens.values() for tube in found})
    found = (yield statements.patients_among(site, known_owners)) if known_owners else []
    patients = {row.identifier: patient_of(row) for row in found}
    known = replace(NOTHING_KNOWN, specimens=specimens, patients=patients)
    if tubes and reading.disposition is Disposition.ACCEPTED:
        ordered = yield statements.orders_among(site, tubes)
        orders = frozenset((row.specimen, row.loinc) for row in ordered if row.state != "cancelled")
        cancelled = frozenset((row.specimen, row.loinc) for row in ordered) - orders
        at = stamp(received.received_at)
        materials = registered_at((yield statements.material_windows(site, tubes)), at)
        known = replace(known, orders=orders, cancelled=cancelled, materials=materials)
        if any(len(owners(found)) > 1 for found in specimens.values()):
            known = replace(known, ordered_for=_ordered_for(ordered, specimens))
    earlier: dict[str, list[Earlier]] = {}
    for row in (yield statements.results_of_identities(site, sorted(set(identities)))):
        acknowledged = row.closing is None or row.closing in ACKNOWLEDGED  # open: this one, which drops its own repeats
        earlier.setdefault(row.identity, []).append(
            Earlier(
                row.id,
                row.run,
                row.value,
                row.number or "",
                row.comparator,
                row.unit_raw,
                row.state,
                acknowledged,
                row.status,
                row.flags_raw,
                moment_of(row.received_at),
            )
        )
    return replace(known, earlier=earlier)


def _ordered_for(
    ordered: Sequence[Any], specimens: Mapping[str, Sequence[Specimen]]
) -> dict[tuple[str, str], frozenset[str]]:
    """For whom each test was ordered, on numbers that tubes of several patients have carried."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for row in ordered:
        tubes = specimens.get(row.specimen, ())
        if row.state != "cancelled" and len(owners(tubes)) > 1:
            owner = owner_of(moment_of(row.ordered_at), tubes)
            found[row.specimen, row.loinc] = found.get((row.specimen, row.loinc), frozenset()) | (
                {owner} if owner else set()
            )
    return found
