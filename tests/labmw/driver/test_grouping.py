"""Does every observation get its own specimen and order, and no other, in each layout of the field?"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import hl7
from labmw.driver.declaration import Evidence, Field, Hl7Driver
from labmw.driver.grouping import Groups
from labmw.driver.reading import Reading
from protocols.hl7.er7 import Message

ACME = Hl7Driver(name="acme", evidence=Evidence.MANUAL, coded=True, awos=Field("OBR", 2, 1), run=Field("OBX", 4, 1))
PARIS = ZoneInfo("Europe/Paris")


def reading(kind: str, *segments: str, driver: Hl7Driver = ACME) -> Reading:
    head = f"MSH|^~\\&|ACME|LAB|LIS|H|20260310081500||{kind}|C1|P|2.5.1"
    return hl7.read(Message.parse(("\r".join((head, *segments)) + "\r").encode()), driver, zone=PARIS)


def obx(code: str = "2823-3", run: str = "1") -> str:
    return f"OBX|1|NM|{code}^^LN|{run}|4.1|mmol/L^^UCUM|||||F"


def specimens(read: Reading) -> list[tuple[str, str]]:
    return [(one.specimen, one.problem) for one in read.results]


def test_specimen_first_each_result_has_the_specimen_above_it() -> None:
    read = reading(
        "OUL^R22", "SPM|1|A17&LIS", "SAC|||X1", "OBR||W1", obx(), "SPM|2|A18", "OBR||W2", obx(), obx(run="2")
    )
    assert specimens(read) == [("A17", ""), ("A18", ""), ("A18", "")]
    assert [one.awos for one in read.results] == ["W1", "W2", "W2"]
    assert read.results[0].obx is not None
    assert read.results[0].obx.container == "X1"


def test_the_container_names_the_specimen_where_spm_does_not() -> None:
    for spm in ("SPM|1", 'SPM|1|""', "SPM|1|&LIS"):
        assert specimens(reading("OUL^R22", spm, "SAC|||A17", "OBR||W1", obx())) == [("A17", "")]


def test_two_containers_without_a_specimen_identifier_are_for_a_person() -> None:
    read = reading("OUL^R22", "SPM|1", "SAC|||A17", "SAC|||A18", "OBR||W1", obx())
    assert specimens(read) == [("", "several-specimens")]
    assert read.results[0].problem_facts == (("specimens", "A17, A18"),)
    named = reading("OUL^R22", "SPM|1|S1", "SAC|||A17", "SAC|||A18", "OBR||W1", obx())
    assert specimens(named) == [("S1", "")]


def test_containers_alone_open_a_specimen_each() -> None:
    read = reading("OUL^R21", "SAC|||A17", "ORC|RE", "OBR||W1", obx(), "SAC|||A18", "ORC|RE", "OBR||W2", obx())
    assert specimens(read) == [("A17", ""), ("A18", "")]
    behind = reading("OUL^R23", "SAC|||A17", "SPM|1|S1", "ORC|RE", "OBR||W1", obx())
    assert specimens(behind) == [("S1", "")]


def test_order_first_the_specimen_behind_is_the_orders_and_not_the_next_ones() -> None:
    read = reading("ORU^R01", "ORC|RE", "OBR||W1", obx(), "SPM|1|A17", "ORC|RE", "OBR||W2", obx(), "SPM|1|A18")
    assert specimens(read) == [("A17", ""), ("A18", "")]
    second = reading("ORU^R01", "OBR||W1", obx(), "SPM|1|A17", "OBR||W2", obx(), "SPM|1|A18", "OBR||W3", obx())
    assert specimens(second) == [("A17", ""), ("A18", ""), ("", "no-specimen")]


def test_order_first_several_specimens_behind_one_order_are_for_a_person() -> None:
    read = reading("OUL^R22", "ORC|SC", "OBR||W1", obx(), "SPM|1|A17", "SPM|2|A18")
    assert specimens(read) == [("", "several-specimens")]
    assert read.specimens == ("A17", "A18")


def test_one_specimen_named_last_is_all_the_orders() -> None:
    read = reading("ORU^R32", "OBR||W1", obx(), "OBR||W2", obx(), "SPM|1|A17")
    assert specimens(read) == [("A17", ""), ("A17", "")]


def test_a_specimen_between_an_order_and_its_results_is_theirs() -> None:
    read = reading("ORU^R01", "OBR||W1", "SPM|1|A17", obx(), "OBR||W2", "SPM|1|A18", obx())
    assert specimens(read) == [("A17", ""), ("A18", "")]


def test_another_patient_never_inherits_a_specimen() -> None:
    read = reading("ORU^R01", "PID|1", "SPM|1|A17", "OBR||W1", obx(), "PID|2", "OBR||W2", obx())
    assert specimens(read) == [("A17", ""), ("", "no-specimen")]
    assert [order.patient for order in read.orders] == [0, 1]


def test_what_is_said_of_a_specimen_is_no_result() -> None:
    first = reading("OUL^R22", "SPM|1|A17", "OBR||W1", obx(), "SPM|2|A18", obx("9999-9"), "SAC|||A18", "OBR||W2", obx())
    told = first.results[1]
    assert (told.order, told.main, told.specimen, told.obx and told.obx.role) == (
        None,
        False,
        "A18",
        "specimen-observation",
    )
    last = reading("ORU^R01", "OBR||W1", obx(), "SPM|1|A17", obx("9999-9"))
    assert [(one.order, one.main, one.specimen) for one in last.results] == [(0, True, "A17"), (None, False, "A17")]


def test_an_observation_without_any_order_is_still_a_result() -> None:
    (one,) = reading("ORU^R01", obx(), "SPM|1|A17").results
    assert (one.main, one.specimen, one.order) == (True, "A17", None)


@pytest.mark.parametrize(
    ("kind", "segments", "states"),
    [
        ("OUL^R22", ("SPM|1|A", "OBR||W1", "ORC|SC||||CM", "OBR||W2", "ORC|SC||||IP"), ["CM", "IP"]),
        ("OUL^R22", ("ORC|SC||||CM", "OBR||W1", "ORC|SC||||IP", "OBR||W2"), ["CM", "IP"]),
        ("OUL^R22", ("SPM|1|A", "OBR||W1", obx(), "ORC|SC||||IP", "OBR||W2"), [None, "IP"]),
        ("OML^O33", ("SPM|1|A", "ORC|NW||||A", "OBR||W1", "ORC|NW||||B", "OBR||W2"), ["A", "B"]),
        ("ORU^R01", ("OBR||W1", "ORC|RE||||B", "OBR||W2"), [None, "B"]),
    ],
)
def test_an_orc_belongs_to_the_order_that_its_message_puts_it_beside(
    kind: str, segments: tuple[str, ...], states: list[str | None]
) -> None:
    read = reading(kind, *segments)
    assert [order.state and order.state.status for order in read.orders] == states


def test_observations_in_an_order_are_the_patients_and_no_results() -> None:
    (one,) = reading("OML^O21", "ORC|NW", "OBR||W1", obx(), "SPM|1|A17").results
    assert (one.main, one.obx and one.obx.role) == (False, "order-observation")


def test_substances_behind_a_result_are_its_own_and_those_behind_a_container_are_not() -> None:
    read = reading(
        "OUL^R22",
        "SPM|1|A17",
        "SAC|||A17",
        "INV|QC1|OK|CO||||||||||||||L0",
        "OBR||W1",
        obx(),
        "INV|R1|OK|SR||||||||||||||L1",
        "NTE|1||warm",
        "OBR||W2",
        obx(),
        "INV|R2|OK|MR||||||||||||||L2",
    )
    assert [[item.name for item in one.contributing] for one in read.results] == [["R1"], ["R2"]]
    assert [item.after for item in read.inventory] == ["SPM1", "OBX1", "OBX2"]
    assert all(one.control for one in read.results)
    assert [one.comments for one in read.results] == [("warm",), ()]


def test_a_family_may_name_its_specimens_in_the_order() -> None:
    driver = Hl7Driver(name="x", evidence=Evidence.MANUAL, coded=True, specimen=Field("OBR", 3, 1), specimen_or=())
    read = reading("ORU^R01", "OBR|1||A17", obx(), "OBR|2||A18", obx(), "OBR|3", obx(), driver=driver)
    assert specimens(read) == [("A17", ""), ("A18", ""), ("", "no-specimen")]
    assert read.specimens == ("A17", "A18")


NAMES = st.sampled_from(
    ["PID", "SPM|1|A", "SPM|2|B", "SAC|||C", "OBR||W", "ORC|SC", obx(), "INV|X", "NTE|1||n", "TQ1", "ZZZ"]
)


@given(st.lists(NAMES, max_size=14), st.sampled_from([("OUL", "R22"), ("ORU", "R01"), ("OUL", "R21"), ("OML", "O33")]))
def test_every_segment_has_its_place_whatever_their_order(names: list[str], kind: tuple[str, str]) -> None:
    read = reading("^".join(kind), *names)
    assert len(read.results) == names.count(obx())
    assert len(read.orders) == names.count("OBR||W")
    assert len(read.inventory) == names.count("INV|X")
    named = {one.partition("|")[2].rpartition("|")[2] for one in names if one.startswith(("SPM", "SAC"))}
    assert {one.specimen for one in read.results} <= {"", *named}
    message = Message.parse(("\r".join(("MSH|^~\\&", *names)) + "\r").encode())
    assert len(Groups.of(message.segments, *kind).names) == len(names) + 1
