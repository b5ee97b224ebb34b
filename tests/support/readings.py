"""Readings for the tests of the laboratory: one result, with what a test wants to be different."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

from stage import ALT, SITE

from labmw.clock import SYSTEM
from labmw.driver.reading import OrderRead, PatientRead, Reading, ResultRead
from labmw.line.received import Received
from labmw.model import Disposition, ResultKey
from labmw.quantity import Quantity

_RESULT = ResultRead(
    seq="1",
    record=3,
    specimen="S1",
    order=0,
    code="ALTT",
    code_raw="^^^ALTT",
    detail="",
    analyte="",
    main=True,
    value="22",
    value_raw="22",
    quantity=Quantity(Decimal(22), "", "U/L"),
    comparator="",
    number="22",
    unit_raw="U/L",
    ucum="U/L",
    loinc=ALT,
    test_name="ALT",
    index="",
    range_raw="",
    flags_raw="N",
    flags=frozenset(),
    status="F",
    operator="",
    time="20261101080000",
    completed=None,
    instrument="",
    run="",
    comments=(),
)


def result(value: str = "22", **different: Any) -> ResultRead:
    """An ALT of 22 U/L on specimen S1, or something else."""
    return replace(_RESULT, **{"value": value, "value_raw": value, "number": value, **different})


def key(read: ResultRead) -> ResultKey:
    """Its identity as the line "analyzer" sends it."""
    return ResultKey(SITE, "analyzer", read.specimen, read.code, read.part, read.run, read.time)


def patient(sex: str = "", birth: str = "") -> PatientRead:
    """A P record."""
    return PatientRead("", "", "", "", birth, sex)


def order(specimen: str, of: int | None = 0) -> OrderRead:
    """An O record."""
    return OrderRead(specimen, specimen, "", "^^^ALTT", ("^^^ALTT",), ("ALTT",), "", "", "", "", of)


def reading(*results: ResultRead, **different: Any) -> Reading:
    """A message with these results, read without objection."""
    common: dict[str, Any] = {
        "driver": "erba-xl",
        "driver_version": "1",
        "mapping_version": "abc",
        "protocol": "astm",
        "kind": "result",
        "delimiters": "|\\^&",
        "structure": "HPORL",
        "sender": "XL",
        "receiver": "",
        "serial": "",
        "software": "",
        "processing_id": "P",
        "version": "",
        "datetime": "",
        "message_id": "",
        "terminated": True,
        "terminator": "N",
        "patients": (),
        "specimens": (),
        "orders": (),
        "results": results,
        "queries": (),
        "comments": (),
        "manufacturer": (),
        "disposition": Disposition.ACCEPTED,
    }
    return Reading(**{**common, **different})


_NUMBERS = itertools.count(1)


def received(**different: Any) -> Received:
    """A message off the line "analyzer", its bytes and session its own; `message` may hold the reading that a test wants of it."""
    number = next(_NUMBERS)
    common: dict[str, Any] = {
        "link": "analyzer",
        "session": f"session-{number}",
        "peer": "192.0.2.1:4000",
        "protocol": "astm",
        "first": 1,
        "last": 5,
        "place": 0,
        "received_at": SYSTEM.now(),
        "raw": b"message %d" % number,
        "message": None,
    }
    return Received(**{**common, **different})
