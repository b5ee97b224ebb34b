"""What does one R record say, read with this driver? Nothing dropped, nothing guessed, every doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from labmw.driver import places
from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.driver.diluted import dilution_problem, mark
from labmw.driver.plan import Plan
from labmw.driver.reading import Facts, OrderRead, ResultRead, listed
from labmw.driver.timestamp import read_time
from labmw.driver.value import ValueRead, read_detail, read_main, read_unknown
from labmw.model import Flag
from labmw.tube_form import AS_WRITTEN
from protocols.astm.record import Record


@dataclass(frozen=True, slots=True)
class Above:
    """The order that stands above a result, with what the driver reads in it for every result below."""

    index: int | None = None
    order: OrderRead | None = None
    completed: str = ""
    run: str = ""
    other_material: str = ""  # what was measured, where the LOINC codes of the driver do not hold for it


NOTHING = Above()


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads the results of one message."""

    driver: Driver
    plan: Plan
    zone: ZoneInfo
    doubt: tuple[str, Facts]
    control: bool  # the header says that all is quality control
    known: bool  # False for a sender that nobody knows: nothing is looked up

    def above(self, index: int, order: OrderRead, record: Record) -> Above:
        """Read what an order says for the results below it."""
        driver = self.driver
        completed = next(
            (text for place in (driver.completed, driver.completed_or) if (text := _in_order(record, place))), ""
        )
        return Above(
            index, order, completed, _in_order(record, driver.run), self._other_material("O", record, order.control)
        )

    def read(self, place: int, record: Record, above: Above, comments: Sequence[Record]) -> ResultRead:
        """Read the record at this place of the message."""
        driver, plan, order = self.driver, self.plan, above.order
        cells = plan.cells(record)
        test_id, test = plan.test(cells[plan.at_test], record)
        status = plan.status(cells)
        indexed = test is not None and bool(test.index)
        main = driver.main(test_id, status) if driver.main else test_id.main
        if indexed or test_id.code in driver.unreported:
            main = False
        value = plan.value(cells) or (plan.value_or(cells) if plan.value_or else "")
        read_as = self._read_value(value, plan.unit(cells), test_id, test, main or indexed)
        time = (plan.completed and plan.completed(cells)) or above.completed
        time = time or (plan.completed_or(cells) if plan.completed_or else "")
        moment = read_time(time, self.zone)
        problem, facts = self.doubt
        if not problem:
            problem, facts = self._problem(record, above, test_id, test, status, main, read_as)
        if not problem and main and moment.doubt == "unreadable":
            problem, facts = "bad-time", (("time", time),)
        flags = plan.flags(cells[plan.at_flag], record)
        if test_id.dilution:
            flags |= mark(driver, test_id.dilution)
        return ResultRead(
            seq=cells[1],
            record=place,
            specimen=order.specimen if order else "",
            order=above.index,
            code=test_id.code,
            code_raw=cells[plan.at_test],
            detail=test_id.detail,
            analyte=test_id.analyte,
            main=main,
            value=value,
            value_raw=cells[plan.at_value],
            quantity=read_as.quantity,
            comparator=read_as.comparator,
            number=read_as.number,
            unit_raw=cells[plan.at_unit],
            ucum=read_as.ucum,
            loinc=test.loinc if test and (main or indexed) else "",
            test_name=test.name if test else "",
            index=test.index if test else "",
            range_raw=cells[plan.at_range],
            flags_raw=cells[plan.at_flag],
            flags=flags | self._alarms(comments) if driver.alarm else flags,
            status=status,
            operator=plan.operator(cells),
            time=time,
            completed=moment.at,
            instrument=plan.instrument(cells),
            run=plan.run(cells) if plan.run else above.run,
            comments=tuple([places.decoded(comment.field(4), comment) for comment in comments]) if comments else (),
            problem=problem,
            problem_facts=facts,
            control=order.control if order else self.control,
            assay=test_id.assay,
            time_doubt=moment.doubt,
        )

    def _alarms(self, comments: Sequence[Record]) -> frozenset[Flag]:
        """Read the data alarms that some families send in the comments after a result."""
        driver = self.driver
        if driver.alarm is None:
            return frozenset()
        codes = {places.text(comment, driver.alarm).strip() for comment in comments}
        return frozenset(
            [driver.alarms.get(code, Flag.UNKNOWN) for code in codes if code and code not in driver.silent]
        )

    def _read_value(self, text: str, unit: str, test_id: TestId, test: Test | None, reported: bool) -> ValueRead:
        if not self.known or (reported and test is None):
            return read_unknown(text, self.driver)
        if test is not None and reported:
            return read_main(text, unit, test, self.driver)
        return read_detail(text, unit, test_id.detail, self.driver)

    def _problem(
        self,
        record: Record,
        above: Above,
        test_id: TestId,
        test: Test | None,
        status: str,
        main: bool,
        value: ValueRead,
    ) -> tuple[str, Facts]:
        """Say why this result cannot be used as it is, the gravest reason first; "" when it can."""
        driver, order = self.driver, above.order
        if driver.evidence is Evidence.UNVERIFIED:
            return "unverified-driver", (("driver", driver.name),)
        if order is None or not order.specimen:
            if order is not None and driver.tube != AS_WRITTEN and order.specimen_raw.strip():
                return "specimen-form", (("specimen", order.specimen_raw.strip()),)
            return "no-specimen", ()
        if len(order.specimens) > 1:
            return "several-specimens", (("specimens", listed(order.specimens)),)
        if not main and not (test and test.index):
            return "", ()
        if test is None:
            return "unknown-code", (("test", test_id.key or test_id.code or "-"), ("driver", driver.name))
        material = above.other_material
        if self.plan.material_in_result and not material:
            material = self._other_material("R", record, order.control)
        if material:
            return "other-material", (("material", material), ("test", test_id.code))
        if stray := places.stray(record, driver):
            return "unexpected-component", (("value", stray),)
        if diluted := dilution_problem(driver, test_id.dilution, test_id.code):
            return diluted
        sent = places.text(record, driver.loinc_sent) if driver.loinc_sent else ""
        if sent and sent != test.loinc:
            return "loinc-mismatch", (("sent", sent), ("expected", test.loinc), ("test", test_id.code))
        if value.problem:
            return value.problem, value.facts
        if status and status not in driver.accepts_status and status not in driver.preliminary:
            return "unexpected-status", (("status", status),)
        return "", ()

    def _other_material(self, kind: str, record: Record, control: bool) -> str:
        """Return what a record of this kind says was measured, where the LOINC codes of the driver do not hold for it."""
        if control:
            return ""
        found = (places.text(record, place).strip() for place in self.driver.material if place.record == kind)
        return next((text for text in found if text and text not in self.driver.materials), "")


def _in_order(record: Record, place: Field | None) -> str:
    return places.text(record, place) if place is not None and place.record == "O" else ""
