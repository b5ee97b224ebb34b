"""Which messages does a file or batch hold, and does it hold what its trailers say? FHS and BHS open an envelope, BTS and FTS close it.

Grammar: ``[FHS] { [BHS] {message} [BTS] } [FTS]`` (2.5.1 chapter 2.10.3). The trailers may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.errors import Hl7Error
from protocols.hl7.segment import Segment, segment
from protocols.hl7.separators import STANDARD, Separators

_LINE = re.compile(rb"[^\r]*(?:\r\n?|\Z)")
_LINE_BY_LF = re.compile(rb"[^\r\n]*(?:\r\n?|\n|\Z)")
_OPENS = (b"FHS", b"BHS")


@dataclass(slots=True)
class Group:
    """One batch: its BHS, "" when there was none, and the bytes of its messages."""

    header: bytes = b""
    messages: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """What was read. ``envelope`` are the lines that belong to no message; ``faults`` say with their line what does not fit together."""

    file_header: bytes = b""
    groups: list[Group] = field(default_factory=list)
    envelope: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def messages(self) -> list[bytes]:
        """The bytes of each message, in order."""
        return [message for group in self.groups for message in group.messages]

    @property
    def header(self) -> Segment | None:
        """The BHS of the first batch, else the FHS; None when there is neither, or its separators cannot be used."""
        line = next((group.header for group in self.groups if group.header), self.file_header)
        text = line.rstrip(b"\r\n").decode("latin-1")
        try:
            return Segment(text, Separators.of_header(text)) if text else None
        except Hl7Error:
            return None


def is_batch(data: bytes) -> bool:
    """Whether these bytes are more than one message: an envelope, or a second MSH at the beginning of a line."""
    if data[:3] in _OPENS:
        return True
    again = b"MSH" + data[3:4]
    return data[:3] == b"MSH" and (b"\r" + again in data or b"\n" + again in data) and len(read(data).messages) > 1


def read(data: bytes) -> Batch:
    """Every message there is, whatever is wrong with the envelopes; messages without any envelope are cut at MSH.

    A wrong count says that messages were lost: it is a fault, and the messages that are there are read all the same.
    """
    found = Batch()
    in_file = in_batch = in_message = False
    batches = 0
    parts: list[bytes] = []  # of the message that is being read

    def ended() -> None:
        if parts:
            found.groups[-1].messages.append(b"".join(parts))
            parts.clear()

    for number, line in enumerate(_lines(data), 1):
        name = line[:3]
        if name == b"MSH":
            in_message = True
            ended()
            if not found.groups:
                found.groups.append(Group())
            parts.append(line)
            continue
        if in_message and name not in (b"FHS", b"BHS", b"BTS", b"FTS"):
            parts.append(line)
            continue
        if not line.strip():
            continue
        ended()
        found.envelope.append(line)
        if name == b"FHS":
            if number > 1:
                found.faults.append(f"line {number}: FHS is not the first line; send each file on its own")
            else:
                found.file_header = line
            in_file, in_message = True, False
        elif name == b"BHS":
            if in_batch:
                found.faults.append(
                    f"line {number}: BHS inside a batch that is still open; close it with BTS before the next"
                )
            in_batch, in_message = True, False
            batches += 1
            found.groups.append(Group(line))
        elif name == b"BTS":
            if not in_batch:
                found.faults.append(f"line {number}: BTS closes no batch; open it with BHS")
            else:
                found.faults += _count(line, number, "messages", len(found.groups[-1].messages))
                found.groups.append(Group())
            in_batch = in_message = False
        elif name == b"FTS":
            if not in_file:
                found.faults.append(f"line {number}: FTS closes no file; open it with FHS")
            else:
                found.faults += _count(line, number, "batches", batches)
            in_file = in_batch = in_message = False
        else:
            said = line[:3].decode("ascii", "replace")
            found.faults.append(f"line {number} ({said}) belongs to no message: a message starts with MSH")
    ended()
    found.groups = [group for group in found.groups if group.header or group.messages]
    return found


def cut(data: bytes) -> list[bytes]:
    """The bytes of each message, in order; messages without any envelope are cut at MSH.

    Raises: Hl7Error for segments outside a message, an envelope opened inside another, and a wrong count.
    """
    found = read(data)
    if found.faults:
        raise Hl7Error(found.faults[0])
    return found.messages


def write_reply(
    batch: Batch, replies: Sequence[Sequence[bytes]], *, control_id: str, when: str, comment: str = ""
) -> bytes:
    """The batch that answers a batch: the replies to each of its groups between BHS and BTS, within FHS and FTS where it had them.

    Sender and receiver change places; BHS-12 names what is answered, BHS-11 is our own number (2.5.1 chapter 2.15.2). ``comment``
    is BTS-2 of the last. The replies stay the bytes that they are.
    """
    made: list[bytes] = []
    if batch.file_header:
        made.append(_opening("FHS", batch.file_header, control_id, when))
    for number, (group, answers) in enumerate(zip(batch.groups, replies, strict=True), 1):
        made.append(_opening("BHS", group.header or batch.file_header, f"{control_id}-{number}", when))
        made += answers
        last = number == len(batch.groups)
        made.append(_line(["BTS", str(len(answers)), comment if last else None]))
    if batch.file_header:
        made.append(_line(["FTS", str(len(batch.groups))]))
    return b"".join(made)


def _opening(name: str, theirs: bytes, control_id: str, when: str) -> bytes:
    text = theirs.rstrip(b"\r\n").decode("latin-1")
    try:
        sent = Segment(text, Separators.of_header(text)) if text else None
    except Hl7Error:
        sent = None
    said = [sent.component(n) if sent else "" for n in (3, 4, 5, 6, 11)]
    ours = [said[2], said[3], said[0], said[1]]
    return _line([name, None, None, *ours, when, None, None, None, control_id, said[4]])


def _line(cells: Sequence[str | None]) -> bytes:
    return (segment(list(cells), STANDARD).line + "\r").encode("latin-1", "replace").translate(None, b"\x0b\x1c")


def _lines(data: bytes) -> list[bytes]:
    # As in a single message, the first line end decides whether LF ends a line or is part of a text.
    first_cr, first_lf = data.find(b"\r"), data.find(b"\n")
    by_lf = first_lf >= 0 and (first_cr < 0 or first_lf < first_cr)
    return [line for line in (_LINE_BY_LF if by_lf else _LINE).findall(data) if line]


def _count(trailer: bytes, number: int, what: str, found: int) -> list[str]:
    said = trailer[4:].split(trailer[3:4] or b"|", 1)[0].strip()  # the character after the name is the separator
    if not said or said == str(found).encode():
        return []
    told = said[:20].decode("ascii", "replace")
    return [f"line {number}: the trailer counts {told} {what}, {found} are there; ask for the file again"]
