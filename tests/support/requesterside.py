"""A laboratory that performs, its analyzer, and a simulated one that asks: what the tests of a requester's misbehaviour share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage import Stage, free_port

from simulators.partner_requester import RequesterLab, Tube

ALT = "1742-6"
ALAT = f"{ALT}^ALAT^LN"


def set_up(folder: Path, lab: RequesterLab) -> tuple[Stage, int]:
    """The configuration and store of the laboratory that performs; return it, and where it hears the requester."""
    port = free_port()
    extra = f"""
[[partners]]
name = "DEM"
role = "requester"
connect = "127.0.0.1:{lab.port}"
listen = "127.0.0.1:{port}"
our_id = "690999902"
ack_timeout = 30.0
retry_base = 0.05
retry_cap = 0.1
performs = ["{ALT}"]
"""
    return Stage(folder, free_port(), free_port(), extra).build([]), port


def tube(label: str, **more: str) -> Tube:
    """A tube of a patient of its own."""
    return replace(Tube(label, ALAT, patient=f"P-{label}", collected="20261101073000+0100"), **more)  # type: ignore[arg-type]
