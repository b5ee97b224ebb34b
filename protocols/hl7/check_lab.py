"""Is a message as IHE LTW or ILW wants it? The rules about fields as tables, and what has to agree between fields.

The LTW rules are those of PaLM TF-2a as far as they were at hand; those of ILW follow them, with what two organisations need
besides, and are a working profile: the supplement is still for trial implementation.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocols.hl7.adt import is_ins, read_identity
from protocols.hl7.check_fields import FieldRule, filled_with, forbidden, one_of, part, parts, required, rule, zoned
from protocols.hl7.check_repeats import lab_repeats
from protocols.hl7.check_subject import Subject
from protocols.hl7.deviation import Deviation, Severity
from protocols.hl7.er7 import NULL, Segment
from protocols.hl7.fields import cut, each, identifiers
from protocols.hl7.messages import COHERENT

_WARN, _NOTE = Severity.WARNING, Severity.NOTE
_ORDERS = "OML^O21 OML^O33 OML^O35 ORM^O01"
_RESULTS = "ORU^R01 OUL^R22"
_REPLIES = "ORL^O22 ORL^O34 ORL^O36 ORR^O02"
_LTW, _LAB1, _LAB3, _LAB4 = "IHE LTW", "IHE LTW LAB-1", "IHE LTW LAB-3", "IHE LTW LAB-4"

LTW_TYPES = frozenset(f"{_ORDERS} {_RESULTS} {_REPLIES} ACK".split())
ILW_TYPES = frozenset(["OML^O21", "ORL^O22", "ORU^R01", "ACK"])
ILW_ALSO = frozenset(["OML^O33", "OML^O35", "ORL^O34", "ORL^O36", "OUL^R22"])

_ORDER_CODES = [
    "NW",
    "OK",
    "UA",
    "SC",
    "CA",
    "CR",
    "UC",
    "OC",
    "SN",
    "NA",
    "RP",
    "RQ",
    "UM",
    "RU",
    "RO",
    "XO",
    "XR",
    "UX",
    "PR",
]

COMMON: tuple[FieldRule, ...] = (
    rule("LAB-MSH-9", "*", "MSH-9", parts(2), _LTW),
    rule("LAB-MSH-15", "*", "MSH-15", forbidden, f"{_LTW}, original acknowledgment mode"),
    rule("LAB-MSH-16", "*", "MSH-16", forbidden, f"{_LTW}, original acknowledgment mode"),
    rule("LAB-MSH-7-ZONE", "*", "MSH-7", zoned, _LTW, _NOTE),
    rule("LAB-MSA-1", f"{_REPLIES} ACK", "MSA-1", one_of("AA", "AE", "AR"), f"{_LTW}, original acknowledgment mode"),
    rule("LAB-PID-3-AUTHORITY", "*", "PID-3.4", part, _LAB1),
    rule("LAB-ORC-1", f"{_ORDERS} {_REPLIES}", "ORC-1", one_of(*_ORDER_CODES), _LAB1),
    rule("LAB-ORC-2", _ORDERS, "ORC-2", required, _LAB1),
    rule("LAB-ORC-7", f"{_ORDERS} {_RESULTS}", "ORC-7", forbidden, _LAB1),
    rule("LAB-ORC-9", _ORDERS, "ORC-9", required, _LAB1),
    rule("LAB-OBR-2", _ORDERS, "OBR-2", required, _LAB1),
    rule("LAB-OBR-4-PARTS", f"{_ORDERS} {_RESULTS}", "OBR-4", parts(3), _LAB3),
    *(rule(f"LAB-OBR-{n}", _ORDERS, f"OBR-{n}", forbidden, _LAB1) for n in (5, 6, 8, 12, 13, 14, 15, 22, 27)),
    rule("LAB-OBR-16", "OML^O21", "OBR-16", required, _LAB1),
    rule("LAB-OBR-16", "OML^O33 OML^O35", "OBR-16", required, _LAB1, _WARN),
    rule("LAB-OBR-3", _RESULTS, "OBR-3", required, _LAB3),
    rule("LAB-OBR-25", _RESULTS, "OBR-25", filled_with("S", "I", "R", "P", "F", "C", "X"), _LAB3),
    rule("LAB-OBX-1", _RESULTS, "OBX-1", required, _LAB3),
    rule("LAB-OBX-3", _RESULTS, "OBX-3.3", part, _LAB3),
    rule("LAB-OBX-11", _RESULTS, "OBX-11", one_of("O", "I", "D", "R", "P", "F", "C", "X"), _LAB3),
    *(rule(f"LAB-OBX-{n}", _RESULTS, f"OBX-{n}", forbidden, _LAB3) for n in (9, 10, 12)),
    rule("LAB-SPM-2", f"OML^O33 OML^O35 {_RESULTS}", "SPM-2", required, _LAB4),
)

ILW: tuple[FieldRule, ...] = (
    rule("ILW-ORC-21", "OML^O21", "ORC-21", required, "IHE ILW LAB-35, across organisations"),
    rule("ILW-ORC-4", "OML^O21", "ORC-4", required, "IHE ILW LAB-35", _WARN),
    rule("ILW-ORC-2", "ORU^R01", "ORC-2", required, "IHE ILW LAB-36"),
    rule("ILW-ORC-3", "ORU^R01", "ORC-3", required, "IHE ILW LAB-36"),
    rule("ILW-SPM-2", "OML^O21", "SPM-2", required, "IHE ILW LAB-35"),
    rule("ILW-OBX-23", "ORU^R01", "OBX-23", required, "IHE ILW LAB-36, performing laboratory", _WARN),
)

_MOST_IDENTIFIERS = 100  # no patient has more; every one of them costs time
_COHERENT_ORDER = {"I": "IP SC", "P": "A IP", "F": "CM", "C": "CM", "X": "CA", "S": "SC IP", "R": "IP A CM"}
"""ORC-5 that may stand beside each OBR-25."""


def check_ltw(subject: Subject) -> Iterator[Deviation]:
    """Every deviation from LTW that HL7 itself allows."""
    if subject.message.code != "ADT":
        yield from _typed(subject, LTW_TYPES, frozenset())
        yield from _lab(subject)
    yield from _ins(subject)


def check_ilw(subject: Subject) -> Iterator[Deviation]:
    """Every deviation from ILW that HL7 itself allows."""
    yield from _typed(subject, ILW_TYPES, ILW_ALSO)
    yield from _lab(subject)
    yield from subject.apply(ILW)
    yield from _ins(subject)
    if subject.kind == "OML^O21":
        yield from _refused_specimens(subject)


def _typed(subject: Subject, types: frozenset[str], also: frozenset[str]) -> Iterator[Deviation]:
    if subject.kind not in types and subject.message.header.field(9):
        facts = (("found", subject.message.header.field(9)), ("allowed", ", ".join(sorted(types))))
        severity = _WARN if subject.kind in also else Severity.ERROR
        yield subject.tell(0, 9, "LAB-TYPE", "IHE LTW and ILW, transactions", "hl7-value", facts, severity)


def _lab(subject: Subject) -> Iterator[Deviation]:
    yield from subject.apply(COMMON)
    yield from lab_repeats(subject)
    errors = list(subject.named("ERR"))
    if errors and not subject.refuses:
        yield subject.tell(errors[0][0], 0, "LAB-ERR", "HL7 2.5.1 chapter 2", "hl7-error-beside-aa")
    if subject.kind in _RESULTS.split():
        yield from _results(subject)
    if subject.kind in _REPLIES.split():
        yield from _answers(subject)
    if subject.kind in _ORDERS.split():
        yield from _orders(subject)
    if subject.kind in _ORDERS.split() + _REPLIES.split():
        yield from _numbers(subject)
    if subject.refuses and not errors:
        msa = next(place for place, _ in subject.named("MSA"))
        yield subject.absent("ERR", "LAB-ERR-ABSENT", "HL7 2.5.1 chapter 2", msa, _WARN)


def _orders(subject: Subject) -> Iterator[Deviation]:
    for place, orc in subject.named("ORC"):
        if orc.component(1) == "SC" and not orc.component(5):
            yield subject.tell(place, 5, "LAB-SC-STATUS", _LAB1, "hl7-required")
    places = {id(item): place for place, item in enumerate(subject.segments)}
    _, groups = cut(subject.segments, frozenset({"ORC"}))
    for group in groups:
        if all(item.name != "OBR" for item in group):
            yield subject.tell(places[id(group[0])], 0, "LAB-ORDER-OBR", _LAB1, "lab-order-without-test")


def _numbers(subject: Subject) -> Iterator[Deviation]:
    """ORC and OBR of one order give the same numbers."""
    places = {id(item): place for place, item in enumerate(subject.segments)}
    _, groups = cut(subject.segments, frozenset({"ORC"}))
    for group in groups:
        obr = next((item for item in group if item.name == "OBR"), None)
        if obr is not None:
            yield from _same_number(subject, places[id(group[0])], group[0], obr)


def _results(subject: Subject) -> Iterator[Deviation]:
    places = {id(item): place for place, item in enumerate(subject.segments)}
    for group in _observed(subject):
        orc = next((item for item in group if item.name == "ORC"), None)
        obr = next((item for item in group if item.name == "OBR"), None)
        if obr is None:
            continue
        if orc is None:
            yield subject.tell(places[id(obr)], 0, "LAB-RESULT-ORC", _LAB3, "hl7-status-absent")
        else:
            yield from _coherent_order(subject, places, orc, obr)
        status = obr.component(25)
        results = [item for item in group if item.name == "OBX"]
        if status in ("P", "F", "C", "R") and not results:
            yield subject.tell(
                places[id(obr)], 25, "LAB-RESULT-OBX", _LAB3, "lab-status-without-result", (("status", status),)
            )
        for number, obx in enumerate(results, 1):
            if obx.component(1) and obx.component(1) != str(number):
                facts = (("found", obx.component(1)), ("expected", str(number)))
                yield subject.tell(places[id(obx)], 1, "LAB-OBX-1-ORDER", _LAB3, "hl7-sequence", facts, _WARN)
            yield from _coherent_result(subject, places[id(obx)], obx, status)


def _observed(subject: Subject) -> list[list[Segment]]:
    """Each OBR with its ORC, which stands before it in ORU^R01 and behind it in OUL^R22, and with what follows."""
    if subject.kind != "ORU^R01":
        return cut(subject.segments, frozenset({"OBR"}))[1]
    groups: list[list[Segment]] = []
    for item in subject.segments:
        if item.name == "ORC" or (item.name == "OBR" and not (groups and groups[-1][-1].name == "ORC")):
            groups.append([item])
        elif groups:
            groups[-1].append(item)
    return groups


def _coherent_order(subject: Subject, places: dict[int, int], orc: Segment, obr: Segment) -> Iterator[Deviation]:
    said, status = orc.component(5), obr.component(25)
    expected = _COHERENT_ORDER.get(status, "").split()
    if said and expected and said not in expected:
        facts = (("found", said), ("other", f"OBR-25 {status}"), ("expected", ", ".join(expected)))
        yield subject.tell(
            places[id(orc)], 5, "LAB-COHERENT-ORC-5", f"{_LAB3}, status coherence", "hl7-must-fit", facts
        )
    yield from _same_number(subject, places[id(orc)], orc, obr)


def _same_number(subject: Subject, place: int, orc: Segment, obr: Segment) -> Iterator[Deviation]:
    for n in (2, 3):
        if orc.field(n) and obr.field(n) and orc.component(n) != obr.component(n):
            facts = (("found", orc.field(n)), ("other", f"OBR-{n}"), ("expected", obr.field(n)))
            yield subject.tell(place, n, "LAB-COHERENT-NUMBER", "HL7 2.5.1 chapter 4.5.1", "hl7-must-fit", facts)


def _coherent_result(subject: Subject, place: int, obx: Segment, status: str) -> Iterator[Deviation]:
    own = obx.component(11)
    if own and status in COHERENT and own not in COHERENT[status]:
        facts = (("found", own), ("other", f"OBR-25 {status}"), ("expected", ", ".join(sorted(COHERENT[status]))))
        yield subject.tell(place, 11, "LAB-COHERENT-OBX-11", f"{_LAB3}, status coherence", "hl7-must-fit", facts)
    empty = obx.field(5) in ("", NULL)
    if empty and own in ("P", "R", "F", "C"):
        yield subject.tell(place, 5, "LAB-OBX-5", _LAB3, "hl7-value-absent", (("status", own),))
    if not empty and obx.component(2) in ("NM", "SN") and not obx.component(6):
        yield subject.tell(place, 6, "LAB-OBX-6", _LAB3, "hl7-number-without-unit", (), _WARN)


def _answers(subject: Subject) -> Iterator[Deviation]:
    for place, orc in subject.named("ORC"):
        control = orc.component(1)
        if control == "OK" and not orc.component(3):
            yield subject.tell(place, 3, "LAB-ORL-ORC-3", _LAB1, "hl7-required", (), _WARN)
        if not orc.component(2):
            yield subject.tell(place, 2, "LAB-ORL-ORC-2", _LAB1, "hl7-required")
        if control in ("UA", "CR") and orc.component(5) not in ("CA", ""):
            facts = (("found", orc.component(5)), ("other", f"ORC-1 {control}"), ("expected", "CA"))
            yield subject.tell(place, 5, "LAB-ORL-STATUS", _LAB1, "hl7-must-fit", facts)


def _ins(subject: Subject) -> Iterator[Deviation]:
    source = "PAM.FR, INS"
    for place, pid in subject.named("PID"):
        if len(pid.repetitions(3)) > _MOST_IDENTIFIERS:
            facts = (("found", str(len(pid.repetitions(3)))), ("allowed", str(_MOST_IDENTIFIERS)))
            yield subject.tell(place, 3, "LAB-PID-3-REPEATS", "labmw", "hl7-repeats", facts)
            continue
        if not any(is_ins(item) for item in identifiers(pid, 3)):
            continue
        identity = read_identity(pid)
        if identity.ignored == "unqualified":
            yield subject.tell(place, 32, "INS-UNQUALIFIED", source, "ins-unqualified")
        elif identity.ignored == "unsound":
            yield subject.tell(place, 3, "INS-UNSOUND", source, "ins-unsound")
        elif identity.ignored == "several":
            yield subject.tell(place, 3, "INS-SEVERAL", source, "ins-several")
        elif identity.ins and identity.ins.fictitious:
            yield subject.tell(place, 3, "INS-TEST", source, "ins-test", (("nature", identity.ins.nature),), _NOTE)
        for r in each(pid, 3):
            if pid.component(3, 5, repetition=r) == "INS" and any(pid.component(3, c, repetition=r) for c in (7, 8)):
                yield subject.tell(place, 3, "INS-DATES", source, "ins-dates", (), _WARN)
        for n in (7, 8):
            if not pid.component(n):
                yield subject.tell(place, n, "INS-TRAITS", source, "hl7-required")


def _refused_specimens(subject: Subject) -> Iterator[Deviation]:
    _, groups = cut(subject.segments, frozenset({"ORC"}))
    for (place, orc), group in zip(subject.named("ORC"), groups, strict=True):
        if orc.component(1) != "OC":
            continue
        if not orc.component(16) and not any(item.name == "SPM" and item.component(21) for item in group):
            yield subject.tell(place, 16, "ILW-OC-REASON", "IHE ILW LAB-35", "ilw-refusal-without-reason", (), _WARN)
