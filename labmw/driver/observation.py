"""What does one OBX say, read with this driver? Nothing dropped, nothing guessed, every doubt named."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Measure, Test, TestId
from labmw.driver.diluted import dilution_of, dilution_problem, mark
from labmw.driver.grouping import Observation, SpecimenGroup
from labmw.driver.menu import Menu, Named, Pick
from labmw.driver.observed import CODED, measured, pick, repeated, stray, value_text
from labmw.driver.reading import Facts, Inventory, ObxRead, OrderRead, ResultRead, Role, listed
from labmw.driver.timestamp import Moment, read_time
from labmw.driver.value import ValueRead, read_coded, read_detail, read_main, read_unknown
from protocols.hl7.er7 import Segment

_PADDING = ("",) * 30  # so that every field up to OBX-29 can be asked for


@dataclass(frozen=True, slots=True)
class Tube:
    """A specimen as the driver reads it: its identifiers, container and role, and the control in it.

    Several identifiers: the message does not say which of them was measured.
    """

    identifiers: tuple[str, ...] = ()
    container: str = ""
    role: str = ""
    control: Inventory | None = None


@dataclass(slots=True)
class ObservationReader:
    """Reads the observations of one message, in their order."""

    driver: Hl7Driver
    menu: Menu
    header: Segment
    zone: tzinfo
    doubt: tuple[str, Facts]
    controls: bool  # the header says that all is quality control
    ordering: bool  # an order, in which OBX tell of the patient and not of a measurement
    known: bool  # False for a sender that nobody knows: nothing is looked up
    _numbers: set[tuple[int | None, str, str]] = field(default_factory=set)  # (order, code, run) that have a number

    def read(
        self,
        observation: Observation,
        index: int | None,
        order: OrderRead | None,
        tube: Tube,
        contributing: tuple[Inventory, ...],
    ) -> ResultRead:
        """Read one OBX, the `index`-th order's, measured on this tube."""
        driver, obx = self.driver, observation.obx
        cells = [*obx.fields, *_PADDING]
        kind, status = cells[2], self._read(self.menu.status, driver.status, observation, cells)
        above = self._place(driver.assay, observation) if self.menu.assay_above else ""
        named = self.menu.named(obx, above)
        test_id, test = named.test_id, named.test
        run = self._read(self.menu.run, driver.run, observation, cells)
        role = self._role(named, kind, index, run, observation)
        main = self._is_main(role, kind, named, status, order)
        value = value_text(obx, kind, driver)
        measure = measured(obx, kind, value, driver)
        read_as = self._read_value(value, measure, obx, named, main)
        if read_as.number is not None:
            self._numbers.add((index, test_id.code, run))
        time = self._read(self.menu.completed, driver.completed, observation, cells)
        time = time or self._read(self.menu.completed_or, driver.completed_or, observation, cells)
        moment = read_time(time, self.zone, driver.utc)
        identifiers = tube.identifiers
        problem, facts = self._problem(observation, tube, test_id, test, status, main, read_as, moment, time)
        state = order.state if order else None
        return ResultRead(
            seq=cells[1],
            record=observation.place,
            specimen=identifiers[0] if len(identifiers) == 1 else "",
            order=index,
            code=test_id.code,
            code_raw=cells[3],
            detail=test_id.detail or ("interpretation" if role == "interpretation" else ""),
            analyte=test_id.analyte,
            main=main,
            value=value,
            value_raw=cells[driver.value.field],
            quantity=read_as.quantity,
            comparator=read_as.comparator,
            number=read_as.number,
            unit_raw=cells[driver.unit.field],
            ucum=read_as.ucum,
            loinc=test.loinc if test and (main or test.index) else "",
            test_name=(test.name if test else "") or named.name,
            index=test.index if test else "",
            range_raw=cells[7],
            flags_raw=cells[8],
            flags=self.menu.flags(obx) | mark(driver, dilution_of(observation.treatment)),
            status=status,
            operator=cells[16],
            time=time,
            completed=moment.at,
            instrument=cells[18],
            run=run,
            comments=tuple(note.text(3) for note in observation.notes),
            problem=problem,
            problem_facts=facts,
            control=self.controls or tube.control is not None,
            assay=test_id.assay,
            time_doubt=moment.doubt,
            obx=ObxRead(
                role=role,
                awos=order.awos if order else "",
                parents=state.parents if state else (),
                reflex=order is not None and order.action == "G",
                observation_type=cells[29],
                contributing=contributing,
                control_item=tube.control,
                specimen_role=tube.role,
                container=tube.container,
                value_type=kind,
                sub_id=cells[4],
                observed=cells[14],
                analysed=cells[19],
            ),
        )

    def _role(self, named: Named, kind: str, index: int | None, run: str, observation: Observation) -> Role:
        """What this OBX is beside its order."""
        if self.ordering:
            return "order-observation"
        if named.supplemental:
            return "supplemental"
        if observation.order is None and observation.specimen is not None:
            return "specimen-observation"
        if kind in CODED and (index, named.test_id.code, run) in self._numbers:
            return "interpretation"
        return "result"

    def _is_main(self, role: Role, kind: str, named: Named, status: str, order: OrderRead | None) -> bool:
        driver, test_id = self.driver, named.test_id
        if named.test is not None and named.test.index:
            return False
        if role != "result" or status in driver.traced:
            return False
        if kind in driver.unreported_types or test_id.code in driver.unreported:
            return False
        if order is not None and order.codes and order.codes[0] in driver.unreported_orders:
            return False
        return driver.main(test_id, status) if driver.main else test_id.main

    def _read(self, quick: Pick | None, place: Field | None, observation: Observation, cells: list[str]) -> str:
        return quick(observation.obx, cells) if quick else self._place(place, observation)

    def _place(self, place: Field | None, observation: Observation) -> str:
        """Read a place in the OBX or in a segment above it."""
        if place is None:
            return ""
        if place.record == "OBX":
            return pick(observation.obx, place)
        if place.record == "MSH":
            return pick(self.header, place)
        order, specimen = observation.order, observation.specimen
        found = order.open(place.record) if order else None
        if found is None and specimen is not None:
            found = next(iter(specimen.segments(place.record)), None)
        return pick(found, place)

    def _read_value(self, value: str, measure: Measure | None, obx: Segment, named: Named, main: bool) -> ValueRead:
        driver, test = self.driver, named.test
        unit, system = self.menu.unit(obx)
        text, unit = (measure.text, measure.unit or unit) if measure else (None, unit)
        if not self.known or (main and test is None):
            return read_unknown(text, driver) if text is not None else ValueRead()
        if test is None or not (main or test.index):
            return read_detail(text, unit, named.test_id.detail, driver) if text is not None else ValueRead()
        if measure is not None and measure.missing:
            return ValueRead(problem="value-missing", facts=(("value", value),))
        if named.coded:
            return read_coded(value if text is None else text, unit, system, driver)
        if text is None and value not in test.values:
            return ValueRead(problem="number-format", facts=(("value", value),))
        return read_main(value if text is None else text, unit, test, driver)

    def _problem(
        self,
        observation: Observation,
        tube: Tube,
        test_id: TestId,
        test: Test | None,
        status: str,
        main: bool,
        value: ValueRead,
        moment: Moment,
        time: str,
    ) -> tuple[str, Facts]:
        """Say why this result cannot be used as it is, the gravest reason first; "" when it can."""
        driver, obx, identifiers = self.driver, observation.obx, tube.identifiers
        if self.doubt[0]:
            return self.doubt
        if driver.evidence is Evidence.UNVERIFIED:
            return "unverified-driver", (("driver", driver.name),)
        if len(identifiers) > 1:
            return "several-specimens", (("specimens", listed(identifiers)),)
        if not identifiers:
            return "no-specimen", ()
        if not main and not (test and test.index):
            return "", ()
        if test is None:
            return "unknown-code", (("test", test_id.key or test_id.code or "-"), ("driver", driver.name))
        material = self._other_material(observation, tube)
        if material:
            return "other-material", (("material", material), ("test", test_id.code))
        if diluted := dilution_problem(driver, dilution_of(observation.treatment), test_id.code):
            return diluted
        sent = self._place(driver.loinc_sent, observation)
        if sent and sent != test.loinc:
            return "loinc-mismatch", (("sent", sent), ("expected", test.loinc), ("test", test_id.code))
        if status == "X":  # table 0085: no result could be obtained
            return "not-performed", (("flags", obx.field(driver.flag.field) or "-"),)
        if parts := stray(obx, driver):
            return "unexpected-component", (("value", parts),)
        if value.problem:
            return value.problem, value.facts
        if status not in driver.accepts_status and status not in driver.preliminary:
            return "unexpected-status", (("status", status or "-"),)
        if main and moment.doubt == "unreadable":
            return "bad-time", (("time", time),)
        return "", ()

    def _other_material(self, observation: Observation, tube: Tube) -> str:
        """Return what was measured, where the LOINC codes of the driver do not hold for it."""
        driver = self.driver
        if not driver.material or self.controls or tube.control is not None:
            return ""
        named = [self._place(place, observation).strip() for place in driver.material]
        return next((text for text in named if text and text not in driver.materials), "")


def tube_of(group: SpecimenGroup, driver: Hl7Driver) -> Tube:
    """A specimen as the driver reads it; several containers without a specimen identifier are several identifiers."""
    identifiers: tuple[str, ...] = ()
    for place in (driver.specimen, *driver.specimen_or):
        found = (pick(segment, place).strip() for segment in group.segments(place.record))
        identifiers = tuple(dict.fromkeys(one for one in found if one))
        if identifiers:
            break
    spm = group.spm
    containers = [sac.component(3) for sac in group.sacs]
    items = [inventory_of(segment, "") for segment in group.inventory]
    control = next((item for item in items if item.kind == "CO"), None)
    if not identifiers and control is not None and control.name:
        identifiers = (control.name,)  # a control without a tube is what the reagents call it
    container = containers[0] if len(containers) == 1 else ""
    return Tube(identifiers, container, spm.component(11) if spm else "", control)


def interprets(later: Observation, earlier: Observation) -> bool:
    """Whether a coded observation stands behind a number under the same code and OBX-4, and tells what it means."""
    one, other = earlier.obx, later.obx
    return (
        later.order is earlier.order
        and other.field(2) in CODED
        and one.field(2) not in CODED
        and (one.field(3), one.field(4)) == (other.field(3), other.field(4))
    )


def inventory_of(segment: Segment, after: str) -> Inventory:
    """An INV segment as sent."""
    status = tuple(repeated(segment, 2))
    return Inventory(
        segment.line,
        segment.component(1),
        status,
        segment.component(3),
        segment.component(12),
        segment.component(16),
        after,
        segment.component(13),
    )
