"""What does a message of a LAW analyzer say, beyond what every HL7 v2 message says? The family's reading, seen through its LAW profile.

A run belongs to its AWOS: run 1 of one AWOS is not run 1 of the next, also where the analyzer sends no time (law 5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from labmw.driver import hl7
from labmw.driver.declaration import Driver
from labmw.driver.reading import Facts, Reading, ResultRead
from labmw.driver.timestamp import read_time
from labmw.frozen import changed
from labmw.model import Disposition
from protocols.hl7.er7 import Message
from protocols.hl7.law_values import Observation, SpecimenStatus, StatusChange, StepStatus
from protocols.hl7.profile import LawProfile

SERVED = frozenset({"QBP^Q11", "OUL^R22"})
REPLIES = frozenset({"ORL", "ACK", "RSP", "ORR"})
HEARTBEAT = "NMD^N02"  # application keep-alive (Alinity): harmless from anybody


def is_reply(message: Message) -> bool:
    """Whether a message answers one of ours: then it is not answered itself."""
    return message.code in REPLIES or message.first("MSA") is not None


def read(message: Message, change: StatusChange | None, driver: Driver, profile: LawProfile, zone: ZoneInfo) -> Reading:
    """Read one message; `change` is what the codec of OUL^R22 made of it, None for any other type."""
    reading = hl7.read(message, driver, zone=zone)
    kind = f"{message.code}^{message.trigger}"
    if is_reply(message):
        return _with(reading, Disposition.QUARANTINED, "reply-unreadable", (("type", kind),))
    if kind not in SERVED | {HEARTBEAT, *profile.other_messages}:
        return _with(reading, Disposition.REFUSED, "unsupported-type", (("type", message.header.field(9) or "-"),))
    if change is None:
        return replace(reading, kind="equipment-status", results=(), disposition=Disposition.ACCEPTED, reason="")
    if change.problems:
        first = change.problems[0]
        facts = (("problem", first.text), ("code", first.code))
        return _with(reading, Disposition.REFUSED, "malformed-report", facts)
    found = {one.place: (specimen, step, one) for specimen, step, one in _observations(change)}
    results = tuple(_seen(read_, found.get(read_.record), profile, zone) for read_ in reading.results)
    return changed(reading, results=results)


def _observations(change: StatusChange) -> Iterator[tuple[SpecimenStatus, StepStatus | None, Observation]]:
    for item in change.specimens:
        for one in item.specimen.observations:
            yield item, None, one
        for step in item.steps:
            for one in step.observations:
                yield item, step, one


def _seen(
    read_: ResultRead,
    found: tuple[SpecimenStatus, StepStatus | None, Observation] | None,
    profile: LawProfile,
    zone: ZoneInfo,
) -> ResultRead:
    """One observation with what LAW says of it."""
    if found is None:
        return read_
    item, step, one = found
    awos = step.awos.id if step and step.awos and not step.at_analyzer else ""
    time = one.analysed or one.observed
    moment = read_time(time, zone)
    seen = changed(
        read_,
        specimen=item.specimen.label.strip() or read_.specimen,
        run=f"{awos}/{one.run}" if awos else one.run,
        time=time,
        completed=moment.at,
        time_doubt=moment.doubt,
        main=read_.main and step is not None and not one.supplemental,
        control=_is_control(item, profile),
    )
    if one.status == "X" and seen.problem in ("", "not-performed"):
        flags = ", ".join(flag.text or flag.code for flag in one.flags) or "-"
        return changed(
            seen, problem="not-performed", problem_facts=(("test", read_.test_name or read_.code), ("flags", flags))
        )
    return seen


def _is_control(item: SpecimenStatus, profile: LawProfile) -> bool:
    """Whether the analyzer says so: by SPM-11, or by a control material beside the specimen; a registered material decides (labmw.lab)."""
    role = item.specimen.role.code if item.specimen.role else ""
    return (role == profile.control_role and profile.role_tells_control) or bool(item.specimen.control_names)


def _with(reading: Reading, disposition: Disposition, reason: str, facts: Facts) -> Reading:
    return replace(reading, disposition=disposition, reason=reason, reason_facts=facts)
