"""Which bytes carried a result, and how were they answered? From the journal of a session, frame by frame."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Text, bindparam, select, union

from labmw.store import Row, Step, Transaction, schema, statements
from labmw.store.encryption.envelope import Unreadable
from labmw.store.statements import Story
from labmw.watch.veil import Veil
from protocols.astm.control import ACK, EOT

_JOURNAL = (
    select(
        schema.journal.c.id,
        schema.journal.c.session,
        schema.journal.c.at,
        schema.journal.c.direction,
        schema.journal.c.data,
    )
    .where(
        schema.journal.c.site == bindparam("site", type_=Text()),
        schema.journal.c.session.in_(bindparam("sessions", type_=Text(), expanding=True)),
    )
    .order_by(schema.journal.c.id)
)
_ALIKE = union(
    *(
        select(column.label("specimen")).where(
            table.c.site == bindparam("site", type_=Text()), column.contains(bindparam("part", type_=Text()))
        )
        for table, column in (
            (schema.result, schema.result.c.specimen),
            (schema.specimen, schema.specimen.c.identifier),
        )
    )
).limit(6)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A specimen's story, and the bytes of the sessions it came in, as far as they can be read.

    `unreadable`: of messages whose bytes cannot, why: a code of the catalogue.
    """

    story: Story
    journal: dict[str, list[Row]]
    unreadable: dict[int, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """One frame on the wire: when its bytes came, and what they were answered, when."""

    seq: int
    at: str
    answer: bytes
    answered_at: str
    piece: int  # the journal's numbers of both
    reply: int


def evidence(site: str, identifier: str) -> Transaction[Evidence]:
    """Everything the store has on a specimen, from one and the same moment."""
    story = yield from statements.story(site, identifier)
    sessions = list(dict.fromkeys(message.session for message in story.messages if message.session))
    journal: dict[str, list[Row]] = {}
    shut: dict[str, str] = {}
    if sessions:
        for row in (yield Step(_JOURNAL, {"site": site, "sessions": sessions})):
            if isinstance(row.data, Unreadable):
                shut[row.session] = row.data.why
            else:
                journal.setdefault(row.session, []).append(row)
    unreadable = {one.id: shut[one.session] for one in story.messages if one.session in shut}
    for one in story.messages:
        if bad := [row.text.why for row in story.frames.get(one.id, ()) if isinstance(row.text, Unreadable)]:
            unreadable[one.id] = bad[0]
            story.frames[one.id] = []  # without its text a frame can be found nowhere
        if isinstance(one.raw, Unreadable):
            unreadable[one.id] = one.raw.why
    return Evidence(story, journal, unreadable)


def alike(site: str, identifier: str) -> Transaction[list[str]]:
    """Identifiers that contain the one that was asked for, or its end: what a person may have meant."""
    part = identifier if len(identifier) < 5 else identifier[-4:]
    rows = yield Step(_ALIKE, {"site": site, "part": part})
    return [row.specimen for row in rows]


def answers(journal: Sequence[Row], frames: Sequence[Row]) -> dict[int, Answered]:
    """Find each frame's bytes among what came, and the reply that followed; a frame that was refused first is found where it was accepted."""
    came = [row for row in journal if row.direction == ">"]
    stream = b"".join(row.data for row in came)
    found: dict[int, Answered] = {}
    place = 0
    for frame in frames:
        text = str(frame.number).encode() + bytes(frame.text)
        while (start := stream.find(text, place)) >= 0:
            place = start + len(text)
            carrier = _carrier(came, place - 1)
            reply = next((row for row in journal if row.direction == "<" and row.id > carrier.id), None)
            if reply is not None and reply.data[:1] == bytes([ACK]):
                found[frame.seq] = Answered(frame.seq, carrier.at, reply.data, reply.at, carrier.id, reply.id)
                break
    return found


def pieces_of_message(journal: Sequence[Row], frames: Sequence[Row], found: Mapping[int, Answered]) -> tuple[int, int]:
    """Say which part of its session's journal a message took: from its first frame (with what opened the session, when it is the first
    message) to the answer to its last (with the EOT that follows at once); everything when that cannot be told."""
    everything = (journal[0].id, journal[-1].id) if journal else (0, 0)
    if not frames or frames[0].seq not in found or frames[-1].seq not in found:
        return everything
    start = everything[0] if frames[0].seq <= 1 else found[frames[0].seq].piece
    end = found[frames[-1].seq].reply
    following = next((row for row in journal if row.id > end), None)
    return start, following.id if following is not None and following.data[:1] == bytes([EOT]) else end


def _carrier(came: Sequence[Row], place: int) -> Row:
    """Return the piece that brought the byte at a place of the stream."""
    for row in came:
        if place < len(row.data):
            return row
        place -= len(row.data)
    raise IndexError("beyond the stream")


def records(raw: bytes) -> list[bytes]:
    """Cut a message into its records, as the places in the store count them."""
    return [record for record in re.split(rb"\r\n?|\n", raw) if record]


def frames_of_record(raw: bytes, frames: Sequence[Row], record: int) -> list[int]:
    """Say which frames carried a record: one, or several when it was cut; all of them when that cannot be told."""
    every = [frame.seq for frame in frames]
    texts = [bytes(frame.text) for frame in frames]
    start = b"".join(texts).find(raw)
    spans = [match.span() for match in re.finditer(rb"[^\r\n]+", raw)]
    if start < 0 or not 0 <= record < len(spans):
        return every
    begin, end = spans[record][0] + start, spans[record][1] + start
    carrying = []
    place = 0
    for seq, text in zip(every, texts, strict=True):
        if place < end and begin < place + len(text):
            carrying.append(seq)
        place += len(text)
    return carrying


def without_names(pieces: Sequence[Row]) -> Iterator[tuple[Row, bytes]]:
    """Each piece with its bytes as they may be shown; what labmw sent may hold orders, with patients of its own."""
    veils = {">": Veil(), "<": Veil()}
    for piece in pieces:
        yield piece, veils[piece.direction].over(bytes(piece.data))
