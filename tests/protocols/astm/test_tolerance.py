"""Tolerances from a configuration: each mistake is named with its remedy."""

from dataclasses import fields

import pytest

from protocols.astm.tolerance import STRICT, Tolerances
from protocols.errors import SettingError


# Scenario 9.15.
def test_strict_is_the_default() -> None:
    assert Tolerances.from_mapping({}) == STRICT == Tolerances()


# Scenario 9.15.
def test_all_at_once() -> None:
    chosen: dict[str, object] = {
        "max_frame": 1000,
        "checksum": "none",
        "lower_case_checksum": True,
        "frame_numbers": "absent",
        "trailer": "optional",
        "enq_in_transfer": "restart",
        "implicit_session": True,
        "send_replies": False,
        "resynchronise": True,
        "control_in_text": True,
        "contention_reply": "at-once",
        "interrupt": "ignore",
        "turnaround": 1,
        "packing": "message",
        "numbered_records": True,
        "record_line_feeds": True,
    }
    tolerances = Tolerances.from_mapping(chosen)
    assert {field.name: getattr(tolerances, field.name) for field in fields(Tolerances)} == chosen


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("checksums", "none", "unknown tolerance 'checksums': use one of checksum, "),
        ("checksum", "maybe", "tolerance checksum = 'maybe': give one of 'required', 'optional', 'none'"),
        ("checksum", True, "give one of"),
        ("implicit_session", 1, "give true or false"),
        ("max_frame", "64000", "whole number of bytes"),
        ("max_frame", True, "whole number of bytes"),
        ("max_frame", 8, "from 16"),
        ("max_frame", 2**30, "to 67108864"),
        ("turnaround", -1, "number of seconds"),
        ("turnaround", float("nan"), "number of seconds"),
        ("turnaround", "1", "number of seconds"),
        ("frame_numbers", ["strict"], "give one of"),
    ],
)
def test_mistakes(key: str, value: object, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        Tolerances.from_mapping({key: value})
