"""Is a padded identifier, or one with a check digit, read and written as declared, and anything else taken for no tube?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import astm
from labmw.driver.asking import What, asked
from labmw.driver.declaration import Driver, Evidence, Test
from labmw.driver.order_writing import Occasion, TestToDo, Work, write_no_work, write_orders
from labmw.driver.ordering import NoWork, OrderDialect
from labmw.driver.reading import Reading
from labmw.driver.traps import traps
from labmw.errors import DriverError
from labmw.tube_form import CHECKS, TubeForm, faults, luhn, mod43
from protocols.astm.message import Message

PADDED = TubeForm("0", 12)
CHECKED = TubeForm(check="luhn")
BOTH = TubeForm("0", 12, "mod43")
DRIVER = Driver(
    name="acme",
    evidence=Evidence.CAPTURE,
    tests={"K": Test("2823-3", "mmol/L")},
    orders=OrderDialect(nothing=NoWork.EMPTY),
)
ZONE = ZoneInfo("Europe/Paris")


def test_known_check_digits() -> None:
    assert luhn("7992739871") == "3"
    assert mod43("CODE39") == "W"
    assert luhn("12A") == luhn("") == mod43("") == mod43("é") == ""


@given(st.text("0123456789", min_size=1, max_size=12), st.sampled_from([PADDED, CHECKED, BOTH, TubeForm()]))
def test_what_is_written_is_read_again(identifier: str, form: TubeForm) -> None:
    identifier = identifier.lstrip("0") or "7"
    assert form.read(form.write(identifier)) == identifier


@given(st.text("0123456789", min_size=2, max_size=12), st.integers(0, 11), st.integers(1, 9))
def test_no_single_misread_digit_names_another_tube(identifier: str, place: int, by: int) -> None:
    """The variant that breaks it: a form that only cut off the last digit would name a tube."""
    sent = CHECKED.write(identifier)
    at = place % len(sent)
    misread = sent[:at] + str((int(sent[at]) + by) % 10) + sent[at + 1 :]
    assert CHECKED.read(misread) == ""
    assert misread[:-1] != ""


@pytest.mark.parametrize("sent", ["", "0", "000000000000", "26112501", "0000026112501"])
def test_what_is_not_of_the_form_names_no_tube(sent: str) -> None:
    assert PADDED.read(sent) == ""


def test_what_cannot_be_written_is_said() -> None:
    assert PADDED.write("1234567890123") == CHECKED.write("A1") == ""
    assert faults(TubeForm("0")) and faults(TubeForm("00", 12)) and faults(replace(CHECKED, check="crc"))  # type: ignore[arg-type]
    assert not faults(BOTH)
    assert all(faults(TubeForm(pad, 12)) for pad in " |^\\\r\u0663\u00e9")  # a blank is lost, a delimiter cuts
    assert set(CHECKS) == {"luhn", "mod43"}


def read(specimen: str, driver: Driver, action: str = "N") -> Reading:
    text = f"H|\\^&|||ACME||||||||1\rP|1\rO|1|{specimen}||^^^K|||||||{action}\rR|1|^^^K|4.1|mmol/L||N||F||||20260310080000\rL|1|N\r"
    (message,) = Message.parse(text.encode(), "latin-1")
    return astm.read(message, driver, zone=ZONE)


def test_a_result_belongs_to_the_tube_without_padding_and_check_digit() -> None:
    (one,) = read(BOTH.write("26112501"), replace(DRIVER, tube=BOTH)).results
    assert (one.specimen, one.problem) == ("26112501", "")
    (wrong,) = read("26112501", replace(DRIVER, tube=BOTH)).results
    assert (wrong.specimen, wrong.problem, dict(wrong.problem_facts)) == ("", "specimen-form", {"specimen": "26112501"})
    (plain,) = read(BOTH.write("26112501"), DRIVER).results
    assert plain.specimen == BOTH.write("26112501")  # not declared, not touched


def test_a_control_is_called_as_it_is_registered() -> None:
    (one,) = read("QC-1", replace(DRIVER, tube=BOTH), action="Q").results
    assert (one.specimen, one.control) == ("QC-1", True)


def test_a_query_names_the_tube_and_is_answered_as_it_asked() -> None:
    driver = replace(DRIVER, tube=PADDED)
    (message,) = Message.parse(b"H|\\^&|||ACME\rQ|1|^000026112501||||||||||O\rL|1|N\r", "latin-1")
    found = asked(message, driver)
    assert found is not None and found.what is What.TUBES
    assert [(one.identifier, one.written) for one in found.tubes] == [("26112501", "000026112501")]
    (everything,) = Message.parse(b"H|\\^&|||ACME\rQ|1|^ALL||||||||||O\rL|1|N\r", "latin-1")
    every = asked(everything, driver)
    assert every is not None and every.what is What.ALL
    (short,) = Message.parse(b"H|\\^&|||ACME\rQ|1|^26112501||||||||||O\rL|1|N\r", "latin-1")
    odd = asked(short, driver)
    assert odd is not None and odd.what is What.UNSERVED


def test_what_is_pushed_is_written_as_the_analyzer_reads_it() -> None:
    driver = replace(DRIVER, tube=BOTH)
    occasion = Occasion("LIS", datetime(2026, 3, 10, tzinfo=UTC), ZONE)
    sent = write_orders(driver, occasion, [Work("26112501", (TestToDo("K"),))], asked=False).raw.decode()
    assert f"O|1|{BOTH.write('26112501')}|" in sent
    assert f"O|1|{BOTH.write('26112501')}|" in write_no_work(driver, occasion, [Work("26112501", ())]).raw.decode()
    with pytest.raises(DriverError, match="order by hand"):
        write_orders(driver, occasion, [Work("1234567890123", (TestToDo("K"),))], asked=False)


def test_it_is_told_as_a_trap() -> None:
    assert {"trap-tube-padded", "trap-tube-check"} <= {code for code, _ in traps(replace(DRIVER, tube=BOTH))}
    assert not {"trap-tube-padded", "trap-tube-check"} & {code for code, _ in traps(DRIVER)}
