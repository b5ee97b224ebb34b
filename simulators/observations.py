"""Which observations does a result message carry? Read by the simulated LIS straight from the segments, as a LIS of another maker would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from protocols.hl7.er7 import Message
from protocols.hl7.segment import Segment

AUTO = (
    "AUTO"  # OBX-16.1, and NTE-4.1 of the note that says it in words: released without a human (protocols.hl7.messages)
)


def observations(message: Message) -> list[dict[str, Any]]:
    """Return one row per OBX: whose, of which specimen, which test, what value, and whether it was released without a human."""
    patient = message.first("PID")
    who = patient.component(3) if patient else ""
    return [{"patient": who, **row} for group in _groups(message) for row in _rows(group)]


def _groups(message: Message) -> Iterator[list[Segment]]:
    """Cut before each order: in ORU_R01 an order brings its observations, and its SPM comes after them."""
    group: list[Segment] = []
    for segment in message.segments:
        if segment.name == "ORC" or (segment.name == "OBR" and group and group[-1].name != "ORC"):
            yield group
            group = []
        group.append(segment)
    yield group


def _rows(group: list[Segment]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    order = next((one for one in group if one.name == "OBR"), None)
    tube = next((one for one in group if one.name == "SPM"), None)
    for segment in group:
        if segment.name == "OBX":
            rows.append(_row(segment, order, tube))
        elif segment.name == "NTE" and rows:
            rows[-1]["notes"].append(segment.text(3))
            if segment.component(4) == AUTO:
                rows[-1]["automatic_text"] = segment.text(3)
    return rows


def _row(obx: Segment, order: Segment | None, tube: Segment | None) -> dict[str, Any]:
    specimen = (tube.component(2, 1) or tube.component(2, 2)) if tube else ""
    if not specimen and order is not None:
        specimen = order.component(3) or order.component(2)
    return {
        "specimen": specimen,
        "placer": order.component(2) if order else "",
        "loinc": obx.component(3, 1),
        "name": obx.component(3, 2),
        "local": obx.component(3, 4),
        "type": obx.field(2),
        "value": "".join(obx.components(5)) if obx.field(2) == "SN" else obx.text(5),
        "unit": obx.component(6),
        "range": obx.text(7),
        "flags": obx.repetitions(8),
        "status": obx.field(11),
        "observed": obx.field(14),
        "analyzed": obx.field(19),
        "equipment": obx.text(18),
        "automatic": obx.component(16) == AUTO,
        "automatic_text": "",
        "notes": [],
    }
