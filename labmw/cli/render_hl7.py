"""What does an HL7 message show that an ASTM one has not? The same schema labmw-corpus/1, with its words for segments."""

from __future__ import annotations

from typing import Any

from labmw.driver.reading import Inventory, ObxRead, OrderControl, OrderRead, Reading, ResultRead
from protocols.hl7.er7 import Message


def hl7_only(message: Message, reading: Reading) -> dict[str, Any]:
    """The header, the acknowledgments, and what the reading says of patients, orders, queries and substances."""
    header = message.header
    return {
        "control_id": message.control_id,
        "sending_facility": header.field(4),
        "accept_ack": header.field(15),
        "application_ack": header.field(16),
        "charset_declared": header.field(18),
        "profile": header.field(21),
        "structure": [segment.name for segment in message.segments],
        "terminator": None,
        "patients": [
            {"pid2": one.practice_id, "pid3": one.lab_id, "name": one.name, "birth": one.birth, "sex": one.sex}
            for one in reading.patients
        ],
        "orders": [_order(one) for one in reading.orders],
        "order_responses": [{**_control(one), "specimen": one.specimen or None} for one in reading.responses],
        "queries": [
            {"name": one.name, "tag": one.tag, "parameters": list(one.parameters), "specimens": list(one.specimens)}
            for one in reading.queries
        ],
        "acks": [{"code": one.field(1), "ref": one.field(2), "text": one.field(3)} for one in message.all("MSA")],
        "inventory": [one.raw for one in reading.inventory],
    }


def hl7_result(result: ResultRead, obx: ObxRead) -> dict[str, Any]:
    """What an OBX says beside the value. `time` is OBX-14; `completed` is read from what the driver takes for the completion."""
    return {
        "specimen": result.specimen or None,
        "type": obx.value_type,
        "sub_id": obx.sub_id,
        "value_bytes": len(result.value_raw.encode("utf-8", "surrogateescape")),
        "time": obx.observed,
        "analysis_time": obx.analysed,
        "equipment": result.instrument,
        "obs_type": obx.observation_type,
        "role": obx.role,
        "awos": obx.awos,
        "parents": list(obx.parents),
        "reflex": obx.reflex,
        "contributing": [_inventory(one) for one in obx.contributing],
        "container": obx.container,
        "specimen_role": obx.specimen_role,
        "control_item": _inventory(obx.control_item) if obx.control_item else None,
    }


def _order(order: OrderRead) -> dict[str, Any]:
    return {
        "specimen": order.specimen or None,
        "placer": order.placer,
        "filler": order.filler,
        "service_raw": order.tests_raw,
        "codes": list(order.codes),
        "status": order.report_type,
        "action": order.action,
        "time": order.time,
        "awos": order.awos,
        "patient": order.patient,
        "control": order.control,
        "orc": _control(order.state) if order.state else {},
    }


def _control(control: OrderControl) -> dict[str, Any]:
    return {
        "control": control.control,
        "placer": control.placer,
        "filler": control.filler,
        "status": control.status,
    }


def _inventory(item: Inventory) -> dict[str, Any]:
    return {
        "name": item.name,
        "status": list(item.status),
        "kind": item.kind,
        "expiry": item.expiry,
        "lot": item.lot,
        "after": item.after,
    }
