"""How is a message written down, with its results and with what a person must look at? The rows that intake inserts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from labmw import SOFTWARE_VERSION
from labmw.clock import stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.lab.clockwork import offset_seconds
from labmw.lab.placement import Placement, identity
from labmw.line.received import Received
from labmw.model import Flag
from labmw.store.json_text import json_escaped, json_facts, json_list

STRIDE = 65536
"""A result's number is its message's number times this, plus its place in it."""


def message_row(
    site: str, received: Received, reading: Reading, at: str, digest: str, reply: bytes | None
) -> Mapping[str, Any]:
    """A message whole: its bytes, where it came from, with what it was read, and what is thought of it."""
    return {
        "site": site,
        "link": received.link,
        "session": received.session,
        "first_frame": received.first,
        "last_frame": received.last,
        "place": received.place,
        "direction": ">",
        "protocol": received.protocol,
        "peer": received.peer,
        "received_at": at,
        "raw": received.raw,
        "digest": digest,
        "control_id": reading.message_id,
        "sender": reading.sender,
        "driver": reading.driver,
        "driver_version": reading.driver_version,
        "mapping_version": reading.mapping_version,
        "software_version": SOFTWARE_VERSION,
        "kind": reading.kind,
        "terminated": int(reading.terminated),
        "disposition": reading.disposition.value,
        "reason": reading.reason,
        "facts": json_escaped(_facts(reading, received)),
        "reply": reply,
    }


def _facts(reading: Reading, received: Received) -> dict[str, Any]:
    """What fills the sentence of the reason, what is odd in the structure, and how far the sender's clock was off."""
    facts: dict[str, Any] = dict(reading.reason_facts)
    if reading.problems:
        facts["problems"] = list(reading.problems)
    if (offset := offset_seconds(reading, received.received_at)) is not None:
        facts["clock_offset"] = offset
    return facts


def shared_columns(site: str, received: Received, reading: Reading, message: int, at: str) -> Mapping[str, Any]:
    """What the rows of a message's results have in common."""
    return {
        "site": site,
        "message": message,
        "link": received.link,
        "serial": reading.serial,
        "received_at": at,
        "driver": reading.driver,
        "driver_version": reading.driver_version,
        "mapping_version": reading.mapping_version,
        "analyzer_software": reading.software,
        "software_version": SOFTWARE_VERSION,
    }


@lru_cache(maxsize=1024)
def _flags_text(flags: frozenset[Flag]) -> str:
    return json_list(sorted(flags))


@lru_cache(maxsize=1024)  # the results of a message share few moments; those of the two passes of an hour compare equal
def _stamped(moment: datetime, fold: int) -> str:
    return stamp(moment)


def result_row(shared: Mapping[str, Any], read: ResultRead, one: Placement, ordinal: int) -> dict[str, Any]:
    """One result, the `ordinal`-th of its message; its `id` is still to be given."""
    key = one.key
    return {
        **shared,
        "key": key.text(),
        "identity": identity(key),
        "record": read.record,
        "ordinal": ordinal,
        "analyzer": key.analyzer,
        "specimen": read.specimen,
        "patient": one.patient,
        "code": read.code,
        "detail": key.detail,
        "run": key.run,
        "loinc": read.loinc,
        "test_name": read.test_name,
        "value": read.value,
        "number": read.number,
        "comparator": read.comparator,
        "unit": read.ucum,
        "unit_raw": read.unit_raw,
        "range_raw": read.range_raw,
        "flags_raw": read.flags_raw,
        "flags": _flags_text(read.flags),
        "status": read.status,
        "operator": read.operator,
        "completed_raw": read.time,
        "completed_at": _stamped(read.completed, read.completed.fold) if read.completed else None,
        "main": int(read.main),
        "serum_index": read.index,
        "comments": json_list(read.comments),
        "state": one.state,
    }


LONGEST_FACT = 500
"""Characters of a fact that a person is shown: a value can be as long as a message may be, and is kept with its result."""


def quarantine_row(
    site: str, message: int, result: int | None, reason: str, facts: Sequence[tuple[str, str]], at: str
) -> Mapping[str, Any]:
    """What a person must look at: one result, or the whole message where `result` is None."""
    return {
        "site": site,
        "message": message,
        "result": result,
        "reason": reason,
        "facts": json_facts((name, fact[:LONGEST_FACT]) for name, fact in facts),
        "raised_at": at,
        "state": "open",
    }
