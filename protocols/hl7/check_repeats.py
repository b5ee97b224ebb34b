"""Does anything stand twice that may stand once under its specimen or its order, and is there a segment that the profile knows nothing of?

The tables of HL7 let a specimen have several containers, an order several timings, a reply the same order again: there the matcher of the
structure has nothing to say. A profile of one tube for each specimen and one state for each order has. What may well be meant, and makes
receivers guess, is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocols.hl7.check_subject import Subject
from protocols.hl7.deviation import Deviation, Severity
from protocols.hl7.er7 import Segment

_WARN = Severity.WARNING
_28, _29 = "IHE LAW LAB-28", "IHE LAW LAB-29"
_LAB = "IHE LTW LAB-1 to LAB-5"

LAW_SEGMENTS: dict[str, frozenset[str]] = {
    "QBP^Q11": frozenset({"MSH", "QPD", "RCP"}),
    "RSP^K11": frozenset({"MSH", "MSA", "ERR", "QAK", "QPD"}),
    "OML^O33": frozenset(
        {"MSH", "PID", "PV1", "SPM", "OBX", "SAC", "INV", "ORC", "TQ1", "OBR", "TCD", "NTE"}
    ),  # INV: which control, uncertain
    "ORL^O34": frozenset({"MSH", "MSA", "ERR", "PID", "SPM", "SAC", "ORC"}),  # PID: ORL_O34 of 2.5.1 has it above all
    "OUL^R22": frozenset({"MSH", "PID", "PV1", "SPM", "OBX", "SAC", "INV", "OBR", "ORC", "NTE", "TQ1", "TCD"}),
    "ACK": frozenset({"MSH", "MSA", "ERR"}),
}
"""The segments of each message of LAW; a prior result, which an OML may hold, has no others."""


def law_repeats(subject: Subject) -> Iterator[Deviation]:
    """What stands twice in a message of LAW, or does not belong to it."""
    known = LAW_SEGMENTS[subject.kind]
    source = _29 if subject.kind in ("OUL^R22", "ACK") else _28 if subject.kind in ("OML^O33", "ORL^O34") else "IHE LAW LAB-27"  # fmt: skip
    for place, item in enumerate(subject.segments):
        if item.name not in known and not item.name.startswith("Z"):
            facts = (("segment", item.name),)
            yield subject.tell(place, 0, "LAW-SEGMENT", source, "law-segment", facts, _WARN)
    yield from _again(subject, "SAC", frozenset({"SPM"}), "LAW-SAC-ONE", source)
    yield from _again(subject, "TQ1", frozenset({"ORC", "OBR"}), "LAW-TQ1-ONE", source)
    if subject.kind == "ORL^O34":
        yield from _answered_once(subject, "LAW-ORL-ONCE", f"{_28} (LAB28-004)")
        yield from _whole(subject)
    elif subject.kind == "OUL^R22":
        yield from _measured_once(subject, "LAW-OBX-SAME", f"{_29}, runs")


def lab_repeats(subject: Subject) -> Iterator[Deviation]:
    """What stands twice in a message of LTW or ILW."""
    if subject.kind.startswith("ORL"):
        yield from _answered_once(subject, "LAB-ORL-ONCE", _LAB)
    elif subject.kind.startswith(("ORU", "OUL")):
        yield from _measured_once(subject, "LAB-OBX-SAME", _LAB)
    elif subject.kind.startswith(("OML", "ORM")):
        yield from _ordered_once(subject)
    yield from _again(subject, "TQ1", frozenset({"ORC", "OBR"}), "LAB-TQ1-ONE", _LAB, _WARN)
    yield from _one_tube(subject)


def _again(
    subject: Subject, name: str, under: frozenset[str], rule: str, source: str, severity: Severity = Severity.ERROR
) -> Iterator[Deviation]:
    """A further segment of this name before the next one of those that it stands under."""
    above, count = "", 0
    for place, item in enumerate(subject.segments):
        if item.name in under:
            # In OUL^R22 the ORC follows its OBR: it opens nothing of its own.
            if not (subject.kind == "OUL^R22" and item.name == "ORC"):
                above, count = item.name, 0
        elif item.name == name:
            count += 1
            if above and count > 1:
                yield subject.tell(place, 0, rule, source, "hl7-again-under", (("above", above),), severity)


def _answered_once(subject: Subject, rule: str, source: str) -> Iterator[Deviation]:
    """In a reply each order is answered once."""
    seen: set[str] = set()
    for place, orc in subject.named("ORC"):
        number = orc.field(2)
        if number and number in seen:
            yield subject.tell(place, 2, rule, source, "hl7-said-twice", (("found", number),))
        seen.add(number)


def _whole(subject: Subject) -> Iterator[Deviation]:
    """A specimen of an ORL has its container and the state of each of its AWOS."""
    inside: set[str] = set()
    head = -1
    for place, item in [*enumerate(subject.segments), (len(subject.segments), None)]:
        if item is not None and item.name != "SPM":
            inside.add(item.name)
            continue
        if head >= 0:
            for name, rule, severity in (("SAC", "LAW-ORL-SAC", _WARN), ("ORC", "LAW-ORL-ORC", Severity.ERROR)):
                if name not in inside:
                    yield subject.absent(name, rule, f"{_28} (LAB28-004)", head, severity)
        head, inside = place, set()


def _measured_once(subject: Subject, rule: str, source: str) -> Iterator[Deviation]:
    """Under one order an observation of one kind is told apart from another by its code or its sub-id (run)."""
    seen: set[tuple[str, ...]] = set()
    for place, item in enumerate(subject.segments):
        if item.name in ("OBR", "SPM"):
            seen = set()
        elif item.name == "OBX":
            key = (item.component(3), item.component(3, 4), item.field(4), item.field(2))
            if item.component(3) and key in seen:
                yield subject.tell(place, 4, rule, source, "hl7-observation-twice", (("found", item.component(3)),), _WARN)  # fmt: skip
            seen.add(key)


def _ordered_once(subject: Subject) -> Iterator[Deviation]:
    """The same thing is said of the same order once."""
    seen: set[tuple[str, str]] = set()
    for place, orc in subject.named("ORC"):
        key = (orc.component(1), orc.field(2))
        if orc.field(2) and orc.component(1) != "PR" and key in seen:
            yield subject.tell(place, 2, "LAB-ORDER-ONCE", _LAB, "hl7-said-twice", (("found", orc.field(2)),))
        seen.add(key)


def _one_tube(subject: Subject) -> Iterator[Deviation]:
    """A specimen under an order or a message once, a container once; several containers of one specimen leave open which one is meant."""
    specimens: set[str] = set()
    containers: list[str] = []
    for place, item in enumerate(subject.segments):
        if item.name in ("ORC", "OBR") and subject.kind not in ("OML^O33", "OML^O35", "ORL^O34", "ORL^O36", "OUL^R22"):
            specimens, containers = set(), []  # there specimens stand below their order
        elif item.name == "SPM":
            containers = []
            if (number := item.field(2)) and number in specimens:
                yield subject.tell(place, 2, "LAB-SPM-ONCE", _LAB, "hl7-said-twice", (("found", number),))
            specimens.add(item.field(2))
        elif item.name == "SAC":
            yield from _container(subject, place, item, containers)


def _container(subject: Subject, place: int, sac: Segment, containers: list[str]) -> Iterator[Deviation]:
    number = sac.field(3)
    if number and number in containers:
        yield subject.tell(place, 3, "LAB-SAC-ONCE", _LAB, "hl7-said-twice", (("found", number),))
    elif containers and subject.kind not in ("OML^O35", "ORL^O36"):
        yield subject.tell(place, 3, "LAB-SAC-SEVERAL", _LAB, "hl7-again-under", (("above", "SPM"),), _WARN)
    containers.append(number)
