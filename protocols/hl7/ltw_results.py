"""LAB-3 and LAB-5: how do results go to the laboratory's information system? OUL^R22 beside the ORU^R01 of ``messages``.

Both hold the same segments. An OUL^R22 is the ORU^R01 of the same report, with all its checks, in the order of the specimens;
it is read by putting it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.fields import cut, first
from protocols.hl7.messages import oru_r01, read_oru
from protocols.hl7.profile import LTW_GENERIC, LtwProfile
from protocols.hl7.report import Report

_ORC, _OBR, _SPM = frozenset({"ORC"}), frozenset({"OBR"}), frozenset({"SPM"})


def write_results(report: Report, profile: LtwProfile = LTW_GENERIC) -> bytes:
    """The results of a report, as this system wants them.

    Raises: Hl7Error as ``oru_r01`` and ``oul_r22`` do, and for another kind of message in the profile.
    """
    match profile.results_as:
        case "ORU_R01":
            return asking(oru_r01(report), profile)
        case "OUL_R22":
            return asking(oul_r22(report), profile)
    raise Hl7Error(f"results_as is {profile.results_as!r}: use ORU_R01 or OUL_R22")


def asking(message: bytes, profile: LtwProfile) -> bytes:
    """The same message with the acknowledgments that it asks for: MSH-15 and MSH-16."""
    if not profile.accept and not profile.application:
        return message
    header = Message.parse(message).header
    cells = [*header.fields, *[""] * (17 - len(header.fields))]
    cells[15:17] = [profile.accept, profile.application]
    line = header.separators.field.join([cells[0], *cells[2:]])
    return line.encode() + message[message.index(b"\r") :]


def read_results(message: Message) -> Report:
    """The report in an ORU^R01 or OUL^R22 of LTW.

    Raises: Hl7Error for another type of message, and as ``read_oru`` does.
    """
    return read_oul(message) if message.code == "OUL" else read_oru(message)


def oul_r22(report: Report) -> bytes:
    """The OUL^R22 of a report: each specimen once, with its orders; the tube's number is also in SAC-3.

    Raises: Hl7Error for an order with no or several specimens, and as ``oru_r01`` does.
    """
    for order in report.orders:
        if len(order.specimens) != 1:
            name = order.service.code or order.service.local_code
            raise Hl7Error(f"{name}: {len(order.specimens)} specimens: an OUL^R22 files each order under one, name it")
    message = Message.parse(oru_r01(report))
    head, orders = cut(message.segments, _ORC)
    specimens: dict[tuple[str, ...], list[Segment]] = {}
    for group in orders:
        spm = next(item for item in group if item.name == "SPM")
        rest = [item for item in group[1:] if item.name != "SPM"]
        placed = specimens.setdefault(tuple(spm.fields[2:]), [])
        placed += [rest[0], group[0], *rest[1:]]  # OBR before ORC
    lines = [_retyped(head[0], "OUL", "R22"), *(item.line for item in head[1:])]
    for number, (cells, placed) in enumerate(specimens.items(), 1):
        id_ = cells[0].partition("^")[0].replace("&", "^")
        lines += ["|".join(["SPM", str(number), *cells]), f"SAC|||{id_}", *(item.line for item in placed)]
    return "".join(line + "\r" for line in lines).encode(message.encoding)


def read_oul(message: Message) -> Report:
    """The report in an OUL^R22 of LTW: what ``oul_r22`` writes comes back equal.

    Raises: Hl7Error for another type of message, no or several patients, and a result outside an order.
    """
    if (message.code, message.trigger) != ("OUL", "R22"):
        raise Hl7Error(f"{message.header.field(9)!r} is not OUL^R22: read it with the reader of its own type")
    head, specimens = cut(message.segments, _SPM)
    lines = [_retyped(head[0], "ORU", "R01"), *_lines(item for item in head[1:] if item.name in ("PID", "PV1"))]
    for part in specimens:
        _, orders = cut(part, _OBR)
        for order in orders:
            orc = first(order, "ORC")
            lines += _lines([orc] if orc else [])
            lines += [*_lines(item for item in order if item is not orc), part[0].line]
    text = "".join(line + "\r" for line in lines)
    return read_oru(Message(text.encode(message.encoding, "surrogateescape"), text, message.encoding))


def _lines(segments: Iterable[Segment]) -> list[str]:
    return [item.line for item in segments]


def _retyped(msh: Segment, code: str, trigger: str) -> str:
    mark = msh.separators.component
    cells = msh.fields.copy()
    cells[9] = f"{code}{mark}{trigger}{mark}{code}_{trigger}"
    return msh.separators.field.join([cells[0], *cells[2:]])


def result_status(statuses: Sequence[str], complete: bool) -> str:
    """OBR-25 for an order whose observations have these OBX-11: X withdrawn, C corrected, F final, P partial, I none yet.

    ``complete`` says whether every result that was ordered is there (LTW, coherence of ORC-5, OBR-25 and OBX-11).
    """
    said = set(statuses)
    if not said or said <= {"I", "O"}:
        return "I"
    if said <= {"X", "D"}:
        return "X"
    if not complete or said & {"P", "R", "I", "O"}:
        return "P"
    return "C" if "C" in said else "F"
