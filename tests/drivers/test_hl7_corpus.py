"""Do the HL7 captures of the corpus read as sent, and is nothing of them believed?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.line.registry import Registry

CORPUS = Path(os.environ.get("LABMW_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
REGISTRY = Registry.find()
CAPTURES = sorted(
    path.with_name(path.name.removesuffix(".expected.json")) for path in CORPUS.glob("hl7/*/*.expected.json")
)
HELD = ("specimen", "code", "value", "comparator", "number", "unit_raw", "flags_raw", "status", "time")
# What only a driver of the family could know: where its specimen is, how it writes its values.
ONLY_A_DRIVER_KNOWS = {
    "bc-5380": {"specimen"},
    "citm": {"number"},
    "cobas-4800": {"number"},
    "genexpert": {"specimen", "code", "value", "number"},
}


def shown(capture: Path) -> dict[str, Any]:
    return to_json(Decoder(REGISTRY, None, ZoneInfo("Europe/Paris")).decode(capture))


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no message corpus at {CORPUS}; set LABMW_CORPUS")
@pytest.mark.parametrize("capture", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in CAPTURES])
def test_a_capture_is_read_as_sent(capture: Path) -> None:
    decoded = shown(capture)
    known = json.loads(capture.with_name(capture.name + ".expected.json").read_text(encoding="utf-8"))
    excused = ONLY_A_DRIVER_KNOWS.get(capture.parent.name, set())
    assert len(decoded["messages"]) == len(known["messages"])
    if known.get("receiver") == "refuse":
        assert decoded["disposition"] == "refused"
    for mine, theirs in zip(decoded["messages"], known["messages"], strict=True):
        assert (mine["kind"], mine["type"], mine["control_id"]) == (
            theirs["kind"],
            theirs["type"],
            theirs["control_id"],
        )
        assert mine["structure"] == theirs["structure"]
        if known.get("receiver") == "reject-unsupported":
            assert (mine["disposition"], mine["reason"]) == ("refused", "unsupported-type")
        else:
            assert (mine["disposition"], mine["reason"]) == ("quarantined", "unknown-sender")
        if "specimen" not in excused:
            assert mine["specimens"] == theirs["specimens"]
        for result, other in zip(mine["results"], theirs["results"], strict=True):
            # A number with its comparator stands for the value: the corpus writes SN "^16" both ways.
            keys = [key for key in HELD if key not in excused and not (key == "value" and other["number"])]
            assert {key: result[key] for key in keys} == {key: other[key] for key in keys}
            assert result["number"] in (None, other["number"])  # never a wrong one
