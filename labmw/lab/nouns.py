"""The nouns of a laboratory, made from rows of the store and from what a driver has read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from labmw.clock import read_stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.model import Patient, Result, ResultKey, Sex, Specimen
from labmw.quantity import Quantity


def specimen_of(row: Any) -> Specimen:
    """Make the noun from its row."""
    return Specimen(
        row.site,
        row.identifier,
        row.patient,
        row.kind,
        moment_of(row.valid_from),
        moment_of(row.valid_to),
        moment_of(row.collected),
        row.ward,
    )


def patient_of(row: Any) -> Patient:
    """Make the noun from its row."""
    birth = date.fromisoformat(row.birth) if row.birth else None
    sex = Sex(row.sex) if row.sex in tuple(Sex) else Sex.UNKNOWN
    return Patient(row.site, row.identifier, row.family, row.given, birth, sex, row.pid)


def quantity_of(number: str | None, comparator: str, unit: str) -> Quantity | None:
    """Make the noun from three columns."""
    return Quantity(Decimal(number), comparator, unit) if number else None


def result_of(read: ResultRead, key: ResultKey, reading: Reading) -> Result:
    """Make the noun from the reading."""
    return Result(
        key=key,
        value=read.value,
        quantity=read.quantity,
        unit_raw=read.unit_raw,
        loinc=read.loinc,
        test_name=read.test_name,
        range_raw=read.range_raw,
        flags_raw=read.flags_raw,
        flags=read.flags,
        status=read.status,
        operator=read.operator,
        completed=read.completed,
        main=read.main,
        index=read.index,
        comments=read.comments,
        driver=reading.driver,
        driver_version=reading.driver_version,
        mapping_version=reading.mapping_version,
        software=reading.software,
        problem=read.problem,
    )


def moment_of(text: str | None) -> datetime | None:
    """Make the moment from its column."""
    return read_stamp(text) if text else None
