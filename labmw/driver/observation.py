"""What does one OBX say, read with this driver? Nothing dropped, nothing guessed, every doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from labmw.driver.check import loinc_check_digit
from labmw.driver.declaration import Evidence, Field, Hl7Driver, Measure, Test, TestId
from labmw.driver.grouping import Observation, SpecimenGroup
from labmw.driver.observed import CODED, measured, pick, stray, value_text
from labmw.driver.reading import Facts, Inventory, ObxRead, OrderRead, ResultRead, Role
from labmw.driver.timestamp import Moment, read_time
from labmw.driver.value import ValueRead, read_coded, read_detail, read_main, read_unknown
from labmw.model import Flag
from protocols.hl7.er7 import Segment

_COLUMNS = 32  # OBX-30 is the last that IHE LAW knows
_STANDARD_FLAGS = frozenset({"", "HL70078", "0078"})  # OBX-8.3 of codes that are not the maker's own
_NONE: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True)
class Tube:
    """A specimen as the driver reads it: its identifiers, container and role, and the control in it."""

    identifiers: tuple[str, ...] = ()
    container: str = ""
    role: str = ""
    material: str = ""  # SPM-4.1
    control: Inventory | None = None


@dataclass(slots=True)
class ObservationReader:
    """Reads the observations of one message, in their order."""

    driver: Hl7Driver
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
        tubes: Sequence[Tube],
        contributing: tuple[Inventory, ...],
    ) -> ResultRead:
        """Read one OBX, the `index`-th order's, measured on one of these tubes."""
        driver, obx = self.driver, observation.obx
        cells = obx.fields
        if len(cells) < _COLUMNS:
            cells = cells + [""] * (_COLUMNS - len(cells))
        kind, status = obx.component(2), pick(obx, driver.status)
        test_id = self._identify(obx)
        test = self._test(obx, test_id)
        run = self._place(driver.run, observation)
        role = self._role(obx, kind, index, test_id, run, observation)
        main = self._is_main(role, kind, test_id, status, order)
        value = value_text(obx, kind, driver)
        measure = measured(obx, kind, value, driver)
        read_as = self._read_value(value, measure, obx, test_id, test, main)
        if read_as.number is not None:
            self._numbers.add((index, test_id.code, run))
        time = self._place(driver.completed, observation) or self._place(driver.completed_or, observation)
        moment = read_time(time, self.zone, driver.utc)
        identifiers = tuple(dict.fromkeys(one for tube in tubes for one in tube.identifiers))
        tube = tubes[0] if len(tubes) == 1 else Tube()
        problem, facts = self._problem(
            observation, identifiers, tube, test_id, test, status, main, read_as, moment, time
        )
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
            test_name=(test.name if test else "") or obx.component(3, 2),
            index=test.index if test else "",
            range_raw=cells[7],
            flags_raw=cells[8],
            flags=self._flags(obx),
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

    def _identify(self, obx: Segment) -> TestId:
        driver = self.driver
        if driver.split is not None:
            return driver.split(tuple(obx.components(driver.test.field)))
        code = pick(obx, driver.test) or obx.component(driver.test.field)
        if driver.detail is None and driver.analyte is None:
            return TestId(code, detail="" if driver.run else obx.field(4))
        assay = pick(obx, driver.assay) if driver.assay else ""
        analyte = pick(obx, driver.analyte) if driver.analyte else ""
        detail = pick(obx, driver.detail) if driver.detail else ""
        return TestId(code, f"{assay}/{analyte}" if assay and analyte else assay, detail, analyte, assay)

    def _test(self, obx: Segment, test_id: TestId) -> Test | None:
        driver = self.driver
        for key in (test_id.key, test_id.assay, test_id.code):
            if key and (found := driver.tests.get(key)):
                return found
        if driver.coded and obx.component(3, 3) == "LN" and loinc_check_digit(test_id.code):
            return Test(test_id.code, name=obx.component(3, 2))
        return None

    def _role(
        self, obx: Segment, kind: str, index: int | None, test_id: TestId, run: str, observation: Observation
    ) -> Role:
        """What this OBX is beside its order; supplemental observations are marked in OBX-3.4 (IHE LAW)."""
        if self.ordering:
            return "order-observation"
        if "IHELAW" in obx.field(3) and obx.component(3, 4).startswith("S_"):
            return "supplemental"
        if observation.order is None and observation.specimen is not None:
            return "specimen-observation"
        if kind in CODED and (index, test_id.code, run) in self._numbers:
            return "interpretation"
        return "result"

    def _is_main(self, role: Role, kind: str, test_id: TestId, status: str, order: OrderRead | None) -> bool:
        driver = self.driver
        if role != "result" or status in driver.traced:
            return False
        if kind in driver.unreported_types or test_id.code in driver.unreported:
            return False
        if order is not None and order.codes and order.codes[0] in driver.unreported_orders:
            return False
        return driver.main(test_id, status) if driver.main else test_id.main

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

    def _read_value(
        self, value: str, measure: Measure | None, obx: Segment, test_id: TestId, test: Test | None, main: bool
    ) -> ValueRead:
        driver = self.driver
        unit = (measure.unit if measure else "") or pick(obx, driver.unit)
        text = measure.text if measure else None
        if not self.known or (main and test is None):
            return read_unknown(text, driver) if text is not None else ValueRead()
        if test is None or not (main or test.index):
            return read_detail(text, unit, test_id.detail, driver) if text is not None else ValueRead()
        if measure is not None and measure.missing:
            return ValueRead(problem="value-missing", facts=(("value", value),))
        if test_id.code not in driver.tests and driver.coded:
            return read_coded(value if text is None else text, unit, obx.component(6, 3), driver)
        if text is None and value not in test.values:
            return ValueRead(problem="number-format", facts=(("value", value),))
        return read_main(value if text is None else text, unit, test, driver)

    def _flags(self, obx: Segment) -> frozenset[Flag]:
        """OBX-8, table 0078, and beside it the maker's own codes, each with its coding system."""
        driver, n = self.driver, self.driver.flag.field
        raw = obx.field(n)
        if (not raw or raw == '""') and not driver.marks:
            return _NONE
        found: set[Flag] = set()
        for repeat in range(1, len(obx.repetitions(n)) + 1):
            code, system = obx.component(n, repetition=repeat), obx.component(n, 3, repetition=repeat)
            if code and code not in driver.silent:
                own = driver.flags if system in _STANDARD_FLAGS else driver.alarms
                found.add(own.get(code, Flag.UNKNOWN))
        for place in driver.marks:
            if (code := pick(obx, place)) and code not in driver.silent:
                found.add(driver.alarms.get(code, Flag.UNKNOWN))
        return frozenset(found)

    def _problem(
        self,
        observation: Observation,
        identifiers: tuple[str, ...],
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
        driver, obx = self.driver, observation.obx
        if self.doubt[0]:
            return self.doubt
        if driver.evidence is Evidence.UNVERIFIED:
            return "unverified-driver", (("driver", driver.name),)
        if len(identifiers) > 1:
            return "several-specimens", (("specimens", ", ".join(identifiers)),)
        if not identifiers:
            return "no-specimen", ()
        if not main and not (test and test.index):
            return "", ()
        if test is None:
            return "unknown-code", (("test", test_id.key or test_id.code or "-"), ("driver", driver.name))
        material = self._other_material(observation, tube)
        if material:
            return "other-material", (("material", material), ("test", test_id.code))
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
    return Tube(
        identifiers,
        containers[0] if len(containers) == 1 else "",
        spm.component(11) if spm else "",
        spm.component(4) if spm else "",
        next((item for item in items if item.kind == "CO"), None),
    )


def inventory_of(segment: Segment, after: str) -> Inventory:
    """An INV segment as sent."""
    status = tuple(segment.component(2, repetition=n) for n in range(1, len(segment.repetitions(2)) + 1))
    return Inventory(
        segment.line,
        segment.component(1),
        status,
        segment.component(3),
        segment.component(12),
        segment.component(16),
        after,
    )
