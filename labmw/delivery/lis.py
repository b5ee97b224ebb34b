"""What is said to the LIS: one ORU^R01 per specimen and analyzer message, with everything that the report needs (IHE LTW; spec: segur §2.4).

The message is made from rows alone, so that it can be made again byte for byte: its times are those of the rows, its MSH-10 is the row's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp
from labmw.errors import DeliveryError
from labmw.lab.intake import patient_of, specimen_of
from labmw.model import Flag, Patient, Specimen
from labmw.store import statements
from labmw.store.transaction import Row, Transaction
from protocols.errors import Hl7Error
from protocols.hl7.datatypes import Code, EntityId, Identifier, Person, PersonName
from protocols.hl7.messages import (
    AutoRelease,
    Comment,
    Header,
    Observation,
    Report,
    ReportOrder,
    ReportPatient,
    ReportSpecimen,
    oru_r01,
)
from protocols.hl7.values import Numeric, Text, Value

FLAGS = {
    Flag.LOW: "L",
    Flag.HIGH: "H",
    Flag.CRITICAL_LOW: "LL",
    Flag.CRITICAL_HIGH: "HH",
    Flag.BELOW_RANGE: "<",
    Flag.ABOVE_RANGE: ">",
    Flag.ABNORMAL: "A",
    Flag.NORMAL: "N",
}
"""Table 0078. The other flags are the laboratory's business: they decide the verdict and do not leave."""


@dataclass(frozen=True, slots=True)
class LisReport:
    """Composes reports for one LIS."""

    site: str
    sending_application: str
    receiving_application: str
    receiving_facility: str
    zone: ZoneInfo
    auto_release_text: str

    def compose(self, outbox: Row) -> Transaction[bytes]:
        """Make the message of one outbox row; raises DeliveryError when a row cannot be told truthfully."""
        rows = yield statements.report_of(outbox.id)
        if not rows:
            raise DeliveryError(
                f"outbox row {outbox.id} carries no result; look at it with `labmw result show {outbox.specimen}`"
            )
        if len({row.patient for row in rows}) > 1:
            raise DeliveryError(f"outbox row {outbox.id} carries results of several patients; report this fault")
        patients = yield statements.patients_among(self.site, [rows[0].patient])
        tubes = yield statements.specimens_among(self.site, [outbox.specimen])
        orders = yield statements.orders_among(self.site, [outbox.specimen])
        if not patients:
            raise DeliveryError(
                f"patient of specimen {outbox.specimen} is not known any more; the LIS must send the patient again"
            )
        patient = patient_of(patients[0])
        tube = next((specimen_of(row) for row in tubes if row.patient == patient.identifier), None)
        report = Report(
            self._header(outbox), _patient(self.site, patient), tuple(self._order(row, tube, orders) for row in rows)
        )
        try:
            return oru_r01(report)
        except Hl7Error as error:
            raise DeliveryError(f"no truthful report can be written: {error}") from error

    def _header(self, outbox: Row) -> Header:
        when = self._time(read_stamp(outbox.created_at))
        return Header(
            self.sending_application,
            self.site,
            self.receiving_application,
            self.receiving_facility,
            when,
            outbox.control_id,
            country="FRA",
        )

    def _order(self, row: Row, tube: Specimen | None, orders: Sequence[Row]) -> ReportOrder:
        # The newest: an older one may be of the tube that had this barcode before.
        ordered = next((one for one in reversed(orders) if one.loinc == row.loinc), None)
        placer = (
            EntityId(ordered.placer, self.receiving_application) if ordered is not None and ordered.placer else None
        )
        filler = EntityId(
            ordered.filler if ordered is not None and ordered.filler else f"{row.specimen}-{row.code}",
            self.sending_application,
        )
        collected = self._time(tube.collected) if tube is not None and tube.collected else ""
        observation = self._observation(row, collected)
        specimen = ReportSpecimen(EntityId(row.specimen, self.site), _specimen_type(tube), collected=collected)
        status = "C" if observation.status == "C" else "P" if observation.status == "P" else "F"
        return ReportOrder(
            service=observation.code,
            placer=placer,
            filler=filler,
            observations=(observation,),
            status=status,
            collected=collected,
            reported=self._time(read_stamp(row.decided_at)),
            specimens=(specimen,),
        )

    def _observation(self, row: Row, collected: str) -> Observation:
        flags = tuple(FLAGS[Flag(flag)] for flag in json.loads(row.flags) if Flag(flag) in FLAGS)
        comments = [*json.loads(row.comments), *json.loads(row.verdict_comments)]
        equipment = [EntityId(row.analyzer, row.driver)]
        return Observation(
            code=Code(row.loinc, row.test_name or row.code, "LN", row.code, row.test_name or row.code, "99LABMW"),
            value=_value(row),
            unit=Code(row.unit, row.unit_raw or row.unit, "UCUM")
            if row.unit
            else Code("1", "1", "UCUM")
            if row.number
            else None,
            status="C" if row.status == "C" else "F",
            sub_id=row.run if row.run.isdecimal() else "",
            range=row.range_raw.split("^")[0],
            flags=flags,
            observed=collected,
            auto=self._auto(row) if row.decided_by == "rules" else None,
            responsible=Person(row.decided_by) if row.decided_by != "rules" else None,
            equipment=tuple(equipment),
            analysed=self._time(read_stamp(row.completed_at)) if row.completed_at else "",
            comments=tuple(Comment(text) for text in comments if text.strip()),
        )

    def _auto(self, row: Row) -> AutoRelease:
        """Say that nobody looked at it (SC.DOC.09): with the pack that decided and who answers for it."""
        packs = json.loads(row.packs)
        name, _, rest = packs[0]["pack"].partition("@") if packs else ("", "", "")
        version = rest.partition("#")[0]
        return AutoRelease(self.auto_release_text, name, version, Person("", packs[0]["signed_by"] if packs else ""))

    def _time(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%Y%m%d%H%M%S%z")


def _patient(site: str, patient: Patient) -> ReportPatient:
    return ReportPatient(
        identifiers=(Identifier(patient.identifier, site, type="PI"),),
        names=(PersonName(patient.family, patient.given),) if patient.family else (),
        birth=patient.birth.strftime("%Y%m%d") if patient.birth else "",
        sex=patient.sex.value,
    )


def _value(row: Row) -> Value:
    return Numeric(Decimal(row.number), row.comparator) if row.number else Text(row.value)


def _specimen_type(tube: Specimen | None) -> Code:
    return Code(tube.kind, "", "99LABMW") if tube is not None and tube.kind else Code("UNK", "Unknown", "HL70487")
