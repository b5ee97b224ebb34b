"""How does a stored result become the noun again?"""

from __future__ import annotations

import json

from labmw.clock import read_stamp
from labmw.lab.nouns import quantity_of
from labmw.model import Flag, Result, ResultKey
from labmw.store.transaction import Row


def result_of_row(row: Row) -> Result:
    """Make the noun from its row."""
    return Result(
        key=ResultKey(row.site, row.analyzer, row.specimen, row.code, row.detail, row.run, row.completed_raw),
        value=row.value,
        quantity=quantity_of(row.number, row.comparator, row.unit),
        unit_raw=row.unit_raw,
        loinc=row.loinc,
        test_name=row.test_name,
        range_raw=row.range_raw,
        flags_raw=row.flags_raw,
        flags=frozenset(Flag(flag) for flag in json.loads(row.flags)),
        status=row.status,
        operator=row.operator,
        completed=read_stamp(row.completed_at) if row.completed_at else None,
        main=bool(row.main),
        index=row.serum_index,
        comments=tuple(json.loads(row.comments)),
        driver=row.driver,
        driver_version=row.driver_version,
        mapping_version=row.mapping_version,
        software=row.analyzer_software,
    )
