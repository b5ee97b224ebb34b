"""How does a report go to an LIS that takes labmw for an instrument? H P O R C L of LIS02-A2, from the same report that HL7 is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labmw.errors import DeliveryError
from protocols.astm.message import Message
from protocols.astm.record import build
from protocols.errors import RecordError
from protocols.hl7.datatypes import Code
from protocols.hl7.report import Observation, Report, ReportOrder
from protocols.hl7.values import Numeric, Text, Value

VERSION = "LIS02-A2"


@dataclass(frozen=True, slots=True)
class Lis02Writer:
    """Writes for one LIS: `codes` are its own for LOINC codes, `encoding` that of its line."""

    codes: Mapping[str, str]
    encoding: str = "latin-1"

    def report(self, report: Report) -> bytes:
        """The records of a report, each ending with CR; raises DeliveryError for what LIS02 or the encoding cannot say."""
        header, patient = report.header, report.patient
        records = [
            self._header(header.control_id, header.sending_application, header.receiving_application, header.when),
            build(
                "P",
                {
                    2: "1",
                    3: patient.identifiers[0].id,
                    6: [patient.names[0].family, patient.names[0].given] if patient.names else "",
                    8: patient.birth,
                    9: patient.sex,
                },
            ),
        ]
        for number, order in enumerate(report.orders, 1):
            records += self._order(number, order)
        return self._written([*records, build("L", {2: "1", 3: "N"})])

    def query(self, control_id: str, sender: str, receiver: str, when: str, tube: str) -> bytes:
        """The query for the orders of one tube (Q-13 = O)."""
        asked = build("Q", {2: "1", 3: ["", tube], 5: ["", "", "", "ALL"], 13: "O"})
        return self._written([self._header(control_id, sender, receiver, when), asked, build("L", {2: "1", 3: "N"})])

    @staticmethod
    def _header(control_id: str, sender: str, receiver: str, when: str) -> str:
        return build("H", {3: control_id, 5: sender, 10: receiver, 12: "P", 13: VERSION, 14: when[:14]})

    def _order(self, number: int, order: ReportOrder) -> list[str]:
        specimen = order.specimens[0]
        tests = [["", "", "", self._code(one.code)] for one in order.observations]
        row = {
            2: str(number),
            3: specimen.id.id,
            5: tests,
            8: order.collected[:14],
            16: specimen.type.code,
            23: order.reported[:14],
            26: order.status,
        }
        records = [build("O", row)]
        for place, one in enumerate(order.observations, 1):
            records.append(self._result(place, one))
            notes = [one.auto.text] if one.auto else []
            notes += [comment.text for comment in one.comments]
            records += [
                build("C", {2: str(n), 3: "L", 4: " ".join(note.split()), 5: "G"}) for n, note in enumerate(notes, 1)
            ]
        return records

    def _result(self, number: int, one: Observation) -> str:
        return build(
            "R",
            {
                2: str(number),
                3: ["", "", "", self._code(one.code)],
                4: _value(one.value),
                5: one.unit.code if one.unit else "",
                6: one.range,
                7: [[flag] for flag in one.flags],
                9: one.status,
                11: (one.responsible.id or one.responsible.family) if one.responsible else "",
                13: one.analysed[:14],
                14: one.equipment[0].id if one.equipment else "",
            },
        )

    def _code(self, code: Code) -> str:
        return self.codes.get(code.code, code.code)

    def _written(self, records: Sequence[str]) -> bytes:
        try:
            return Message.of(records, self.encoding).encode()
        except RecordError as error:
            raise DeliveryError(f"no truthful message can be written: {error}") from error


def _value(value: Value | None) -> str:
    if isinstance(value, Numeric):
        return f"{value.comparator}{value.number:f}"
    return value.text if isinstance(value, Text) else ""
