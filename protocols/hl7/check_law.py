"""Is a message as IHE LAW wants it? The rules about fields as a table, and what has to agree between fields.

The sources name the transaction of PaLM TF-2b (3.27 to 3.29) and, where one is known, the assertion of the Gazelle test plan.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocols.hl7.check_fields import (
    FieldRule,
    filled_with,
    forbidden,
    longest,
    matching,
    one_of,
    part,
    parts,
    required,
    rule,
    systematic,
    zoned,
)
from protocols.hl7.check_repeats import law_repeats
from protocols.hl7.check_subject import Subject
from protocols.hl7.deviation import Deviation, Severity
from protocols.hl7.er7 import NULL, Segment
from protocols.hl7.fields import cut
from protocols.hl7.law_reply import STATUSES
from protocols.hl7.profile import GENERIC, QueryBy

TYPES = {
    "QBP^Q11": "LAB-27",
    "RSP^K11": "LAB-27",
    "OML^O33": "LAB-28",
    "ORL^O34": "LAB-28",
    "OUL^R22": "LAB-29",
    "ACK": "LAB-29",
}
"""The transaction of each message type of LAW."""

_BEGIN, _REPLY = "QBP^Q11 OML^O33 OUL^R22", "RSP^K11 ORL^O34 ACK"
_MSH = "IHE LAW, common MSH"
_27, _28, _29 = "IHE LAW LAB-27", "IHE LAW LAB-28", "IHE LAW LAB-29"
_WARN, _NOTE = Severity.WARNING, Severity.NOTE

FIELDS: tuple[FieldRule, ...] = (
    # --- MSH ---
    rule("LAW-MSH-1", "*", "MSH-1", one_of("|"), _MSH),
    rule("LAW-MSH-2", "*", "MSH-2", one_of("^~\\&"), _MSH),
    rule("LAW-MSH-7-ZONE", "*", "MSH-7", zoned, _MSH, _WARN),
    rule("LAW-MSH-9", "*", "MSH-9", parts(3), _MSH),
    rule("LAW-MSH-10", "*", "MSH-10", longest(36), _MSH),
    rule("LAW-MSH-12", "*", "MSH-12", one_of("2.5.1"), _MSH),
    rule("LAW-ACK", "ACK", "MSH-9.2", one_of("R22"), f"{_29} (LAW-008)"),
    rule("LAW-MSA-1", _REPLY, "MSA-1", one_of("AA", "AE", "AR"), _MSH),
    rule("LAW-MSH-15", _BEGIN, "MSH-15", filled_with("NE"), _MSH),
    rule("LAW-MSH-16", _BEGIN, "MSH-16", filled_with("AL"), _MSH),
    rule("LAW-MSH-15-REPLY", _REPLY, "MSH-15", forbidden, _MSH, _WARN),
    rule("LAW-MSH-16-REPLY", _REPLY, "MSH-16", forbidden, _MSH, _WARN),
    rule("LAW-MSH-18", "*", "MSH-18", filled_with("UNICODE UTF-8"), _MSH, _WARN),
    rule("LAW-MSH-21", "*", "MSH-21", required, _MSH),
    # --- LAB-27 ---
    rule("LAW-QPD-1-SYSTEM", "QBP^Q11", "QPD-1.3", one_of("IHELAW"), _27),
    rule("LAW-QPD-2", "QBP^Q11", "QPD-2", required, _27),
    rule("LAW-RCP-1", "QBP^Q11", "RCP-1", filled_with("I"), _27),
    rule("LAW-RCP-3", "QBP^Q11", "RCP-3", filled_with("R"), _27),
    rule("LAW-QAK-1", "RSP^K11", "QAK-1", required, _27),
    rule("LAW-QAK-2", "RSP^K11", "QAK-2", filled_with("OK", "AE", "AR"), f"{_27} (LAB27-003)"),
    rule("LAW-QAK-3", "RSP^K11", "QAK-3", required, _27),
    # --- LAB-28 ---
    rule("LAW-SPM-1", "OML^O33 OUL^R22", "SPM-1", required, f"{_28}, {_29}", _WARN),
    rule("LAW-SPM-4-SYSTEM", "OML^O33 OUL^R22", "SPM-4", systematic, f"{_28}, {_29}", _WARN),
    rule("LAW-SPM-11", "OML^O33", "SPM-11", filled_with("P", "Q", "U", "L", "G"), _28),
    rule("LAW-ORC-1", "OML^O33", "ORC-1", one_of("NW", "CA", "DC"), f"{_28} (LAB27-004)"),
    rule("LAW-ORC-9", "OML^O33", "ORC-9", required, _28),
    rule("LAW-OBR-2", "OML^O33", "OBR-2.1", required, f"{_28} (LAW-005)"),
    rule("LAW-OBR-4-PARTS", "OML^O33", "OBR-4.1", part, _28),
    rule("LAW-OBR-4-SYSTEM", "OML^O33", "OBR-4.3", part, _28),
    rule("LAW-NTE-2", "OML^O33", "NTE-2", one_of("A", "L", "P", "O"), _28, _NOTE),
    rule("LAW-ORL-ORC-1", "ORL^O34", "ORC-1", one_of("OK", "UA", "CR", "UC"), f"{_28} (LAB28-004, LAB28-005)"),
    rule("LAW-ORL-ORC-2", "ORL^O34", "ORC-2", required, f"{_28} (LAB28-004)"),
    rule("LAW-ORL-ORC-5", "ORL^O34", "ORC-5", required, f"{_28} (LAB28-004)"),
    rule("LAW-ORL-STRUCTURE", "ORL^O34", "MSH-9.3", one_of("ORL_O42"), _28, _WARN),
    # --- LAB-29 ---
    rule("LAW-OUL-SPM-11", "OUL^R22", "SPM-11", filled_with("P", "Q", "U", "L", "G"), _29),
    rule("LAW-OUL-OBR-2", "OUL^R22", "OBR-2", required, f"{_29} (LAB29-003)"),
    rule("LAW-OUL-OBR-4", "OUL^R22", "OBR-4.1", part, _29),
    rule("LAW-OUL-ORC-1", "OUL^R22", "ORC-1", one_of("SC"), _29),
    rule("LAW-OUL-ORC-5", "OUL^R22", "ORC-5", filled_with("SC", "IP", "CM", "CA"), _29),
    rule("LAW-OBX-1", "OUL^R22", "OBX-1", required, _29),
    rule("LAW-OBX-3", "OUL^R22", "OBX-3.1", part, _29),
    rule("LAW-OBX-3-SYSTEM", "OUL^R22", "OBX-3", systematic, _29, _WARN),
    rule("LAW-OBX-4", "OUL^R22", "OBX-4", required, _29),
    rule("LAW-OBX-4-RUN", "OUL^R22", "OBX-4", matching("[1-9][0-9]{0,8}", "1, 2, 3 ..."), _29, _WARN),
    rule("LAW-OBX-6-SYSTEM", "OUL^R22", "OBX-6.3", matching("UCUM", "UCUM"), _29, _WARN),
    rule("LAW-OBX-6-SYSTEM", "OUL^R22", "OBX-6", systematic, _29, _WARN),
    rule("LAW-OBX-11", "OUL^R22", "OBX-11", one_of("P", "R", "F", "C", "X"), _29),
    rule("LAW-OBX-16", "OUL^R22", "OBX-16", required, _29, _NOTE),
    rule("LAW-OBX-18", "OUL^R22", "OBX-18", required, _29, _WARN),
    rule("LAW-OBX-19", "OUL^R22", "OBX-19", required, _29, _WARN),
    rule("LAW-OBX-29", "OUL^R22", "OBX-29", filled_with("RSLT"), _29, _WARN),
    rule("LAW-INV-3", "OUL^R22", "INV-3", required, _29, _WARN),
)

_ONLY = {
    QueryBy.CONTAINER: (frozenset({1, 2, 3, 8}), (3,), ""),
    QueryBy.RACK: (frozenset({1, 2, 4, 5, 8}), (4, 5), " (LAB27-006)"),
    QueryBy.TRAY: (frozenset({1, 2, 6, 7, 8}), (6, 7), " (LAB27-007)"),
    QueryBy.ALL: (frozenset({1, 2}), (), " (LAB27-005)"),
}
"""By what is asked: which QPD fields may be filled, which must be, and the assertion."""


def check_law(subject: Subject) -> Iterator[Deviation]:
    """Every deviation from LAW that HL7 itself allows."""
    transaction = TYPES.get(subject.kind)
    header = subject.message.header
    if transaction is None:
        facts = (("found", header.field(9)), ("allowed", ", ".join(TYPES)))
        if header.field(9):
            yield subject.tell(0, 9, "LAW-TYPE", "IHE LAW, transactions", "hl7-value", facts)
        return
    yield from subject.apply(FIELDS)
    profile = (header.component(21), header.component(21, 2))
    if header.field(21) and profile != (transaction, "IHE"):
        facts = (("found", header.field(21)), ("allowed", f"{transaction}^IHE"))
        yield subject.tell(0, 21, "LAW-MSH-21-VALUE", _MSH, "hl7-value", facts, _WARN)
    yield from law_repeats(subject)
    if subject.reply:
        yield from _reply(subject)
    match subject.kind:
        case "QBP^Q11":
            yield from _query(subject)
        case "RSP^K11":
            yield from _query_answer(subject)
        case "OML^O33":
            yield from _work(subject)
        case "ORL^O34":
            yield from _work_reply(subject)
        case "OUL^R22":
            yield from _status(subject)


def _reply(subject: Subject) -> Iterator[Deviation]:
    errors = list(subject.named("ERR"))
    if errors and not subject.refuses:
        yield subject.tell(errors[0][0], 0, "LAW-ERR", _MSH, "hl7-error-beside-aa")
    if subject.refuses and not errors:
        msa = next(place for place, _ in subject.named("MSA"))
        yield subject.absent("ERR", "LAW-ERR-ABSENT", _MSH, msa, _WARN)


def _query(subject: Subject) -> Iterator[Deviation]:
    yield from _asked(subject)


def _asked(subject: Subject) -> Iterator[Deviation]:
    """QPD, in the query and in the reply that repeats it: what is asked by is filled, and nothing else."""
    for place, qpd in subject.named("QPD"):
        by = GENERIC.query_by(qpd.component(1))
        if by is None and qpd.field(1):
            allowed = ", ".join(name.code for name in GENERIC.queries)
            yield subject.tell(place, 1, "LAW-QPD-1", _27, "hl7-value", (("found", qpd.field(1)), ("allowed", allowed)))
        elif by in _ONLY:
            may, must, assertion = _ONLY[by]
            source = _27 + assertion
            for n in range(1, len(qpd.fields)):
                if qpd.field(n) and n not in may:
                    facts = (("found", qpd.field(n)), ("query", by.value))
                    yield subject.tell(place, n, "LAW-QPD-ONLY", source, "law-query-only", facts)
            for n in must:
                if not qpd.field(n):
                    yield subject.tell(place, n, "LAW-QPD-NEEDS", source, "law-query-needs", (("query", by.value),))


def _query_answer(subject: Subject) -> Iterator[Deviation]:
    if not subject.refuses:  # one that is refused may be as wrong as it came
        yield from _asked(subject)
    msa, qpd = subject.message.first("MSA"), subject.message.first("QPD")
    for place, qak in subject.named("QAK"):
        expected = {"AA": "OK", "AE": "AE", "AR": "AR"}.get(msa.component(1) if msa else "", "")
        if expected and qak.component(2) in ("OK", "AE", "AR") and qak.component(2) != expected:
            facts = (("found", qak.component(2)), ("other", "MSA-1"), ("expected", expected))
            yield subject.tell(place, 2, "LAW-QAK-MSA", f"{_27} (LAB27-003)", "hl7-must-fit", facts)
        for own, copied in ((1, 2), (3, 1)):
            if qpd and qak.field(own) and qak.field(own) != qpd.field(copied):
                facts = (("found", qak.field(own)), ("other", f"QPD-{copied}"), ("expected", qpd.field(copied)))
                yield subject.tell(place, own, "LAW-QAK-QPD", _27, "hl7-must-fit", facts)


def _work(subject: Subject) -> Iterator[Deviation]:
    yield from _tubes(subject, _28)
    orders = list(subject.named("ORC"))
    if any(orc.component(1) == "DC" for _, orc in orders):
        yield from _no_work(subject, orders)
        return
    seen: set[str] = set()
    for place, obr in subject.named("OBR"):
        number = obr.field(2)
        if number and number in seen:
            yield subject.tell(
                place, 2, "LAW-AWOS-UNIQUE", f"{_28} (LAW-005, LAB28-006)", "law-awos-twice", (("found", number),)
            )
        seen.add(number)
    _, groups = cut(subject.segments, frozenset({"ORC"}))
    for (place, _), group in zip(orders, groups, strict=True):
        ordered = next((item for item in group if item.name == "OBR"), None)
        if ordered is None:
            yield subject.tell(place, 0, "LAW-ORDER-OBR", _28, "law-order-without-test")
        for offset, item in enumerate(group):
            test = ordered.component(4) if ordered else ""
            if test and item.name == "TCD" and item.component(1) not in ("", test):
                facts = (("found", item.component(1)), ("other", "OBR-4"), ("expected", test))
                yield subject.tell(place + offset, 1, "LAW-TCD-1", _28, "hl7-must-fit", facts)


def _no_work(subject: Subject, orders: list[tuple[int, Segment]]) -> Iterator[Deviation]:
    source = f"{_28} (LAB28-001)"
    for place, item in enumerate(subject.segments):
        if item.name not in ("MSH", "SPM", "SAC", "ORC") and not item.name.startswith("Z"):
            severity = _WARN if item.name == "NTE" else Severity.ERROR  # x800 allows a note with the reason
            facts = (("segment", item.name),)
            yield subject.tell(place, 0, "LAW-NEGATIVE-ONLY", source, "law-negative-only", facts, severity)
    for place, _ in [*orders[1:], *list(subject.named("SPM"))[1:]]:
        yield subject.tell(place, 1, "LAW-NEGATIVE-ONE", source, "law-negative-one")


def _tubes(subject: Subject, source: str) -> Iterator[Deviation]:
    _, groups = cut(subject.segments, frozenset({"SPM"}))
    for (place, spm), group in zip(subject.named("SPM"), groups, strict=True):
        sac = next((item for item in group if item.name == "SAC"), None)
        if sac is None:
            yield subject.absent("SAC", "LAW-SAC", source, place)
        elif not sac.component(3) and not spm.component(2):
            yield subject.tell(place, 2, "LAW-SPECIMEN-ID", source, "law-no-label")
        elif not sac.component(3):
            at = place + next(offset for offset, item in enumerate(group) if item.name == "SAC")
            yield subject.tell(at, 3, "LAW-SAC-3", source, "hl7-required")


def _work_reply(subject: Subject) -> Iterator[Deviation]:
    content = [(place, item) for place, item in enumerate(subject.segments) if item.name in ("SPM", "SAC", "ORC")]
    if subject.refuses and content:
        yield subject.tell(content[0][0], 0, "LAW-ORL-REFUSED", _28, "law-refusal-with-content")
    for place, orc in subject.named("ORC"):
        control, status = orc.component(1), orc.component(5)
        if control in STATUSES and status and status not in STATUSES[control]:
            facts = (("found", status), ("other", f"ORC-1 {control}"), ("expected", ", ".join(STATUSES[control])))
            yield subject.tell(place, 5, "LAW-ORL-STATUS", f"{_28} (LAB28-004, LAB28-005)", "hl7-must-fit", facts)


def _status(subject: Subject) -> Iterator[Deviation]:
    yield from _tubes(subject, _29)
    place = -1
    for name, group in _with_places(subject):
        place, head = group[0]
        if name == "SPM" and head.component(11) == "Q" and not any(item.component(3) == "CO" for _, item in group[1:]):
            yield subject.tell(place, 11, "LAW-QC-INV", _29, "law-control-unnamed", (), _WARN)
        if name == "SPM":
            for at, item in group[1:]:
                if item.name == "INV" and item.component(3) == "CO" and not item.component(16):
                    yield subject.tell(at, 16, "LAW-QC-LOT", _29, "hl7-required", (), _WARN)
        if name == "OBR":
            yield from _performed(subject, group)


def _with_places(subject: Subject) -> Iterator[tuple[str, list[tuple[int, Segment]]]]:
    """Each SPM up to its first OBR, and each OBR up to the next OBR or SPM, with the places."""
    group: list[tuple[int, Segment]] = []
    for place, item in enumerate(subject.segments):
        if item.name in ("SPM", "OBR"):
            if group:
                yield group[0][1].name, group
            group = [(place, item)]
        elif group:
            group.append((place, item))
    if group:
        yield group[0][1].name, group


def _performed(subject: Subject, group: list[tuple[int, Segment]]) -> Iterator[Deviation]:
    place, obr = group[0]
    orc = next((item for item in group if item[1].name == "ORC"), None)
    results = [(at, item) for at, item in group if item.name == "OBX"]
    if orc is None:
        yield subject.tell(place, 0, "LAW-OUL-ORC", _29, "hl7-status-absent")
    if obr.component(11) == "G" and not obr.is_null(2):
        yield subject.tell(
            place, 2, "LAW-REFLEX-AWOS", f"{_29} (LAW-007)", "law-reflex-with-awos", (("found", obr.field(2)),)
        )
    if obr.component(11) == "G" and orc and not orc[1].field(8):
        yield subject.tell(orc[0], 8, "LAW-REFLEX-PARENT", f"{_29} (LAW-007)", "law-reflex-without-parent", (), _WARN)
    if orc and orc[1].field(8) and obr.component(11) != "G":
        unfit = (("found", obr.component(11) or '""'), ("other", "ORC-8"), ("expected", "G"))
        yield subject.tell(place, 11, "LAW-REFLEX-G", f"{_29} (LAW-007)", "hl7-must-fit", unfit, _WARN)
    if orc and orc[1].component(5) == "CM" and not results:
        yield subject.tell(orc[0], 5, "LAW-CM-RESULT", _29, "law-completed-without-result", (), _WARN)
    for number, (at, obx) in enumerate(results, 1):
        if obx.component(1) and obx.component(1) != str(number):
            facts = (("found", obx.component(1)), ("expected", str(number)))
            yield subject.tell(at, 1, "LAW-OBX-1-ORDER", _29, "hl7-sequence", facts, _WARN)
        empty = obx.field(5) in ("", NULL)
        if obx.component(11) == "X":
            if not empty:
                facts = (("found", obx.field(5)), ("status", "X"))
                yield subject.tell(at, 5, "LAW-OBX-X", _29, "law-value-beside-x", facts, _WARN)
        elif empty and obx.component(11):
            yield subject.tell(at, 5, "LAW-OBX-5", _29, "hl7-value-absent", (("status", obx.component(11)),))
        if not empty and obx.component(2) in ("NM", "SN") and not obx.component(6):
            yield subject.tell(at, 6, "LAW-OBX-6", _29, "hl7-number-without-unit", (), _NOTE)  # an index has none
        if empty and obx.field(2):
            yield subject.tell(
                at, 2, "LAW-OBX-2-EMPTY", _29, "law-type-without-value", (("found", obx.field(2)),), _WARN
            )
