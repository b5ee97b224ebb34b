"""Which messages does a file or batch hold? FHS and BHS open an envelope, BTS and FTS close it."""

from __future__ import annotations

import re

from protocols.errors import Hl7Error

_LINE = re.compile(rb"[^\r]*(?:\r\n?|\Z)")
_LINE_BY_LF = re.compile(rb"[^\r\n]*(?:\r\n?|\n|\Z)")


def cut(data: bytes) -> list[bytes]:
    """The bytes of each message, in order; messages without any envelope are cut at MSH.

    Grammar: ``[FHS] { [BHS] {message} [BTS] } [FTS]`` (2.5.1 chapter 2.10.3). The trailers may be missing; a count in
    them must be right, because a wrong one says that messages were lost.
    Raises: Hl7Error for segments outside a message, an envelope opened inside another, and a wrong count.
    """
    messages: list[bytearray] = []
    in_file = in_batch = in_message = False
    batches = batch_starts = 0
    for number, line in enumerate(_lines(data), 1):
        name = line[:3]
        if name == b"MSH":
            in_message = True
            messages.append(bytearray(line))
        elif name == b"FHS":
            if number > 1:
                raise Hl7Error(f"line {number}: FHS is not the first line; send each file on its own")
            in_file = True
        elif name == b"BHS":
            if in_batch:
                raise Hl7Error(
                    f"line {number}: BHS inside a batch that is still open; close it with BTS before the next"
                )
            in_batch, in_message = True, False
            batches += 1
            batch_starts = len(messages)
        elif name == b"BTS":
            if not in_batch:
                raise Hl7Error(f"line {number}: BTS closes no batch; open it with BHS")
            _count(line, number, "messages", len(messages) - batch_starts)
            in_batch = in_message = False
        elif name == b"FTS":
            if not in_file:
                raise Hl7Error(f"line {number}: FTS closes no file; open it with FHS")
            _count(line, number, "batches", batches)
            in_file = in_batch = in_message = False
        elif in_message:
            messages[-1] += line
        elif line.strip():
            raise Hl7Error(
                f"line {number} ({line[:3].decode('ascii', 'replace')}) belongs to no message: a message starts with MSH"
            )
    return [bytes(message) for message in messages]


def _lines(data: bytes) -> list[bytes]:
    # As in a single message, the first line end decides whether LF ends a line or is part of a text.
    first_cr, first_lf = data.find(b"\r"), data.find(b"\n")
    by_lf = first_lf >= 0 and (first_cr < 0 or first_lf < first_cr)
    return [line for line in (_LINE_BY_LF if by_lf else _LINE).findall(data) if line]


def _count(trailer: bytes, number: int, what: str, found: int) -> None:
    said = trailer[4:].split(trailer[3:4] or b"|", 1)[0].strip()  # the character after the name is the separator
    if said and said != str(found).encode():
        raise Hl7Error(
            f"line {number}: the trailer counts {said.decode('ascii', 'replace')} {what}, {found} are there; ask for the file again"
        )
