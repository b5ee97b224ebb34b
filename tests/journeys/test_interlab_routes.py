"""Which tests leave, as the daemon decides it when the LIS orders: by place, and what a person sends on afterwards (issue 7, which tests leave)."""

from __future__ import annotations

from pathlib import Path

from lisside import new
from partnerside import ADA, ALAT, ALT, beside
from stage import eventually

ROUTES = f'routes = [{{ tests = ["{ALT}"], places = ["NORD"] }}]'


def placed(message: bytes, place: str) -> bytes:
    """The order with the facility of its ward (PV1-3.4), or without any place."""
    return message.replace(b"PV1|1|I|WARD-7", f"PV1|1|I|{place}".encode())


async def test_tests_leave_by_the_place_of_the_order_and_one_without_place_is_for_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path, routes=ROUTES) as lab:
        await lab.ordering.tell(placed(new("M1", "T1", ALAT, person=ADA), "WARD-7^^^SUD"))
        await lab.ordering.tell(placed(new("M2", "T2", ALAT, person=ADA), ""))
        await lab.ordering.tell(placed(new("M3", "T3", ALAT, person=ADA), "WARD-7^^^NORD"))
        await eventually(lambda: lab.state("T3") == "accepted")
        states = 'SELECT specimen, state FROM "order" ORDER BY specimen'
        assert lab.stage.ask(states) == [("T1", "open"), ("T2", "open"), ("T3", "elsewhere")]
        assert lab.tasks() == ["interlab-no-place"]
        # the LIS says it again, with the place this time
        await lab.ordering.tell(placed(new("M4", "T2", ALAT, person=ADA), "WARD-7^^^NORD"))
        await eventually(lambda: lab.state("T2") == "accepted")
        assert lab.tasks() == []
