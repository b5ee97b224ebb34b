"""How does the same exchange travel in HPRIM Santé? LAB-35, LAB-36 and their answers, from HL7 segments into H2.1 records and back.

H2.1 has no ORC: what is done to an order stands in OBR-11 (N new, C cancelled, otherwise ORC-1 as it is), its state in OBR-25. OBR-2 is the order's number, its
authority and the tube's number; OBR-18 the group. An answer is a file of context ACK with one ERR record for the message. uncertain: the use of OBR-2.3, of
OBR-11 beyond N, A and C, of ACK, and documents as Base64 in OBX of type FIC. All of it is agreed with the partner; nothing here was taken from a capture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from protocols.errors import Hl7Error, HprimError
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.escapes import escape as hl7_escape
from protocols.hl7.separators import STANDARD
from protocols.hprim import AS_IN_HL7, HprimFile, Layout, Record, build, escape

CONTEXTS = {"OML": "ORM", "ORU": "ORU", "ORL": "ACK", "ACK": "ACK"}
_UNDECODED = re.compile("[\udc80-\udcff]")
"""Bytes that no character set explains: a name with them in it is nobody's."""
_ACTIONS = {"NW": "N", "CA": "C"}
_STATUS = {"SC": "S", "IP": "I", "A": "P", "CM": "F", "CA": "X"}  # ORC-5 in OBR-25, where no result stands


def to_hprim(data: bytes, name: str, encoding: str = "cp1252", layout: Layout = AS_IN_HL7, remark: str = "") -> bytes:
    """The HPRIM file of an HL7 message of ours; ``name`` is the file's (H-3), ``remark`` what an answer says beside its errors.

    Raises: Hl7Error for another type of message, HprimError for what no record can hold.
    """
    message = Message.parse(data)
    context = CONTEXTS.get(message.code)
    if context is None:
        raise Hl7Error(f"{message.header.field(9)!r} has no place in an HPRIM exchange: send OML, ORU or their answers")
    header = message.header
    facilities = [_two(header.component(3), header.component(4)), _two(header.component(5), header.component(6))]
    when = header.component(7)
    named = _two(name, header.component(10))
    rows: list[list[str]] = [
        [
            "H",
            "",
            "",
            named,
            "",
            facilities[0],
            "",
            context,
            "",
            "",
            facilities[1],
            "",
            header.component(11) or "P",
            "H2.1^L",
            when,
        ]
    ]
    msa = message.first("MSA")
    if msa is not None:
        rows.append(
            [
                "ERR",
                "1",
                msa.component(1),
                escape(msa.component(2)),
                escape("; ".join(filter(None, (_told(message), remark)))),
            ]
        )
    rows += _body(message)
    rows.append(["L", "1"])
    return build(rows, encoding, layout)


def _told(message: Message) -> str:
    texts = [err.text(8) or err.component(3, 2) for err in message.all("ERR")]
    return "; ".join(f"{err.component(3)} {text}".strip() for err, text in zip(message.all("ERR"), texts, strict=True))


def _body(message: Message) -> Iterator[list[str]]:
    pid = message.first("PID")
    if pid is not None:
        yield _patient(pid)
    orc: Segment | None = None
    tubes = _tubes(message)
    order, place, comments = -1, 0, 0
    number = 0
    for item in message.segments:
        if item.name == "ORC":
            orc, order, place = item, order + 1, 0
            if message.code == "ORL" and not _has_obr(message, order):
                number += 1
                yield _order(number, item, Segment("OBR"), "")
                yield from _reason(item)
        elif item.name == "OBR":
            number += 1
            comments = 0
            yield _order(number, orc or Segment("ORC"), item, tubes[order] if 0 <= order < len(tubes) else "")
            yield from _reason(orc)
        elif item.name == "OBX":
            place += 1
            yield _observation(place, item)
        elif item.name == "NTE":
            comments += 1
            yield ["C", str(comments), item.component(2) or "L", escape(item.text(3))]


def _has_obr(message: Message, order: int) -> bool:
    """Whether the n-th ORC of a message is followed by an OBR."""
    seen = -1
    for item in message.segments:
        if item.name == "ORC":
            seen += 1
            if seen > order:
                return False
        elif item.name == "OBR" and seen == order:
            return True
    return False


def _tubes(message: Message) -> list[str]:
    """The tube of each ORC: the SPM or SAC that follows it."""
    found: list[str] = []
    for item in message.segments:
        if item.name == "ORC":
            found.append("")
        elif item.name == "SPM" and found and not found[-1]:
            found[-1] = item.component(2)
    return found


def _patient(pid: Segment) -> list[str]:
    legal = next(
        (r for r in range(1, len(pid.repetitions(5)) + 1) if pid.component(5, 7, repetition=r) in ("L", "")), 1
    )
    own = next((r for r in range(1, len(pid.repetitions(3)) + 1) if pid.component(3, 5, repetition=r) == "PI"), None)
    number = _two(pid.component(3, repetition=own), pid.component(3, 4, repetition=own)) if own else ""
    name = [pid.component(5, n, repetition=legal) for n in (1, 2, 3)]
    return ["P", "1", number, "", "", _parts(*name), "", pid.component(7), pid.component(8)]


def _order(number: int, orc: Segment, obr: Segment, tube: str) -> list[str]:
    control = orc.component(1)
    cells = [""] * 26
    cells[0], cells[1] = "OBR", str(number)
    cells[2] = _parts(obr.component(2) or orc.component(2), obr.component(2, 2) or orc.component(2, 2), tube)
    cells[3] = _parts(obr.component(3) or orc.component(3), obr.component(3, 2) or orc.component(3, 2))
    cells[4] = _parts(*(obr.component(4, n) for n in range(1, 7)))
    cells[7] = obr.component(7)
    cells[11] = _ACTIONS.get(control, control)
    cells[16] = _parts(*(obr.component(16, n) for n in range(1, 4)))
    cells[18] = _parts(orc.component(4), orc.component(4, 2))
    cells[22] = obr.component(22)
    cells[25] = obr.component(25) or _STATUS.get(orc.component(5), "")
    return cells


def _reason(orc: Segment | None) -> Iterator[list[str]]:
    """ORC-16: why."""
    if orc is not None and orc.field(16):
        yield ["C", "1", "M", _parts(orc.component(16), orc.component(16, 2), orc.component(16, 3))]


def _observation(place: int, obx: Segment) -> list[str]:
    cells = [""] * 17
    kind = obx.component(2)
    cells[0], cells[1], cells[2] = "OBX", str(place), {"ED": "FIC", "SN": "NM"}.get(kind, kind)
    cells[3] = _parts(*(obx.component(3, n) for n in range(1, 7)))
    cells[4] = escape(obx.component(4))
    if kind == "ED":
        cells[5] = _parts("", obx.component(5, 2), obx.component(5, 3), "Base64", obx.component(5, 5))
    elif kind == "SN":
        cells[5] = escape("".join(obx.component(5, n) for n in range(1, 5)))
    elif kind == "CE":
        cells[5] = _parts(*(obx.component(5, n) for n in range(1, 4)))
    else:
        cells[5] = escape(obx.text(5))
    cells[6] = _parts(*(obx.component(6, n) for n in range(1, 4)))
    cells[7] = escape(obx.text(7))
    cells[8] = "~".join(escape(obx.component(8, repetition=r)) for r in range(1, len(obx.repetitions(8)) + 1))
    cells[11] = obx.component(11)
    cells[14] = obx.component(19) or obx.component(14)
    cells[15] = _parts(obx.component(23, 10), obx.component(23))
    cells[16] = _person(obx)
    return cells


def _person(obx: Segment) -> str:
    """Who validated: the last of several, the first may name the rules that released it."""
    last = len(obx.repetitions(16))
    return _parts(*(obx.component(16, n, repetition=last) for n in range(1, 4))) if last else ""


def _two(one: str, other: str) -> str:
    return _parts(one, other)


def _parts(*texts: str) -> str:
    cells = [escape(text) for text in texts]
    while cells and not cells[-1]:
        cells.pop()
    return "^".join(cells)


# --- back -------------------------------------------------------------------------------------------------------------------------


def to_hl7(file: HprimFile) -> Message:
    """The HL7 message that an HPRIM file stands for: OML^O21, ORU^R01, or the ORL^O22 of an answer.

    Raises: HprimError for another context, no order, or an observation outside one.
    """
    kinds = {"ORM": "OML^O21^OML_O21", "ORU": "ORU^R01^ORU_R01", "ACK": "ORL^O22^ORL_O22"}
    kind = kinds.get(file.context)
    if kind is None:
        raise HprimError(f"H-7 is {file.context[:12]!r}: only ORM, ORU and ACK are exchanged here")
    if _UNDECODED.search(file.text):
        raise HprimError(f"the file holds {file.charset_problem}: write it in one of them and send it again")
    if not file.terminated:
        raise HprimError("the file ended before its L record: it was cut off, send it again")
    head = file.records[0]
    sender, receiver = _cells(file, head, 5, 2), _cells(file, head, 10, 2)
    named = _cells(file, head, 3, 2)
    lines = [
        "|".join(
            ["MSH", "^~\\&", *map(_text, sender), *map(_text, receiver), _text(head.field(14)), "", kind, _text(named[1] or named[0]),
             head.field(12) or "P", "2.5.1", "", "", "", "", "", "UNICODE UTF-8"]
        )
    ]  # fmt: skip
    asking = sender if file.context == "ORM" else receiver
    lines += _lines(file, asking)
    text = "".join(line + "\r" for line in lines)
    return Message(text.encode("utf-8", "surrogateescape"), text, "utf-8")


def _lines(file: HprimFile, asking: list[str]) -> Iterator[str]:
    results = file.context == "ORU"
    inside = False
    tube = ""
    for record in file.records[1:-1]:
        if record.name == "ERR" and file.context == "ACK":
            yield "|".join(
                ["MSA", _text(record.field(2)), _text(_one(file, record, 3)), _text(_one(file, record, 4))[:80]]
            )
        elif record.name == "P":
            yield from _pid(file, record)
        elif record.name == "OBR":
            if inside and tube:
                yield f"SPM|1|{tube}||UNK^^HL70487"
            inside, tube = True, ""
            number = _cells(file, record, 2, 3)
            tube = _text(number[2])
            yield from _orc_obr(file, record, number, asking, _why(file, record), results)
        elif record.name == "OBX":
            if not inside:
                raise HprimError("an OBX stands before its OBR: a result belongs to an order")
            yield _obx(file, record)
        elif record.name == "C" and inside and record.field(2) != "M":
            yield f"NTE|{_text(record.field(1))}|{_text(record.field(2))}|{_text(_one(file, record, 3))}"
    if not inside and file.context != "ACK":
        raise HprimError("the file holds no OBR: there is no order in it")
    if inside and tube:
        yield f"SPM|1|{tube}||UNK^^HL70487"


def _why(file: HprimFile, order: Record) -> list[str]:
    """The reason under an order."""
    at = file.records.index(order)
    following = file.records[at + 1] if at + 1 < len(file.records) else None
    if following is not None and following.name == "C" and following.field(2) == "M":
        return _cells(file, following, 3, 3)
    return []


def _pid(file: HprimFile, record: Record) -> Iterator[str]:
    number, name = _cells(file, record, 2, 2), _cells(file, record, 5, 3)
    identifier = f"{_text(number[0])}^^^{_text(number[1])}^PI" if number[0] else ""
    yield f"PID|1||{identifier}||{'^'.join(map(_text, name))}^^^^L||{_text(record.field(7))}|{_text(record.field(8))}"


def _orc_obr(
    file: HprimFile, record: Record, number: list[str], asking: list[str], why: list[str], results: bool
) -> Iterator[str]:
    filler, group = _cells(file, record, 3, 2), _cells(file, record, 18, 2)
    said = record.field(11)
    control = {"N": "NW", "A": "NW", "C": "CA", "": "SC" if results else "NW"}.get(said, said)
    status = record.field(25)
    states = {mark: state for state, mark in _STATUS.items()} | {"C": "CM"}
    placed = [
        f"{_text(number[0])}^{_text(number[1])}",
        "^".join(map(_text, filler)).rstrip("^"),
        "^".join(map(_text, group)).rstrip("^"),
    ]
    cells = ["ORC", _text(control), *placed, states.get(status, ""), "", "", "", _text(file.records[0].field(14))]
    cells += [""] * (22 - len(cells))
    cells[16] = "^".join(map(_text, why))
    cells[21] = f"{_text(asking[1] or asking[0])}^D"
    yield "|".join(cells).rstrip("|")
    obr = [""] * 26
    obr[0], obr[1] = "OBR", _text(record.field(1))
    obr[2], obr[3] = cells[2], cells[3]
    obr[4] = "^".join(map(_text, _cells(file, record, 4, 6))).rstrip("^")
    obr[7] = _text(record.field(7))
    obr[16] = "^".join(map(_text, _cells(file, record, 16, 3))).rstrip("^")
    obr[22] = _text(record.field(22))
    obr[25] = _text(status) if results else ""
    yield "|".join(obr).rstrip("|")


def _obx(file: HprimFile, record: Record) -> str:
    kind, content = record.field(2), ""
    value = _one(file, record, 5)
    if kind == "FIC":
        kind, content = "ED", "^".join(map(_text, _cells(file, record, 5, 5)))
    elif kind == "NM" and value[:1] in "<>" and value:
        size = 2 if value[1:2] == "=" else 1
        kind, content = "SN", f"{value[:size]}^{_text(value[size:].strip())}"
    elif kind == "CE":
        content = "^".join(map(_text, _cells(file, record, 5, 3))).rstrip("^")
    else:
        content = _text(value)
    performer = _cells(file, record, 15, 2)
    cells = [""] * 26
    cells[0], cells[1], cells[2] = "OBX", _text(record.field(1)), _text(kind)
    cells[3] = "^".join(map(_text, _cells(file, record, 3, 6))).rstrip("^")
    cells[4], cells[5] = _text(_one(file, record, 4)), content
    cells[6] = "^".join(map(_text, _cells(file, record, 6, 3))).rstrip("^")
    cells[7] = _text(_one(file, record, 7))
    cells[8] = (
        "~".join(_text(flag) for flag in record.field(8).split(file.delimiters.repetition)) if record.field(8) else ""
    )
    cells[11] = _text(record.field(11))
    cells[19] = _text(record.field(14))
    cells[16] = "^".join(map(_text, _cells(file, record, 16, 3))).rstrip("^")
    if any(performer):
        cells[23] = f"{_text(performer[1])}^^^^^^^^^{_text(performer[0])}"
    return "|".join(cells).rstrip("|")


def _cells(file: HprimFile, record: Record, n: int, count: int) -> list[str]:
    found = file.values(record, n)[:count]
    return found + [""] * (count - len(found))


def _one(file: HprimFile, record: Record, n: int) -> str:
    """A field that has no components, whole and unescaped."""
    return file.delimiters.component.join(file.values(record, n))


def _text(text: str) -> str:
    return hl7_escape(text, STANDARD)
