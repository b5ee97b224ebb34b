"""Where is a recording found, and what results does it hold? Read leniently, since only what was sent counts here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from protocols.astm.datalink import DataLink
from protocols.astm.events import Event, FrameReceived
from protocols.astm.message import Assembly, Message
from protocols.astm.record import Record
from protocols.astm.tolerance import Tolerances
from protocols.astm.tree import OrderNode, ResultNode
from protocols.capture import sniff
from simulators.dialect import Dialect
from simulators.errors import SimulatorError
from simulators.playback import from_instrument
from simulators.transmission import SentResult, Transmission

HERE = Path(__file__).parent
FRAMED = ("lis01", "stx-etx")  # kinds of recordings that can be sent byte for byte
_LENIENT = Tolerances(
    checksum="none",
    frame_numbers="off",
    trailer="optional",
    implicit_session=True,
    control_in_text=True,
    max_frame=2**20,
)


def corpus() -> Path:
    """Return the folder of real captures: LABMW_CORPUS, else where a checkout has it beside it; it need not exist."""
    return Path(os.environ.get("LABMW_CORPUS") or HERE.parent.parent / "shared" / "corpus")


def find(corpus_file: str, otherwise: str, file: str = "") -> Path:
    """Return the recording to play: a file, a file of the corpus if it is there, else one beside the simulators.

    Raises: SimulatorError when none is there.
    """
    places = [Path(file)] if file else []
    if corpus_file:
        places.append(corpus() / corpus_file)
    if otherwise:
        places.append(HERE / otherwise)
    for place in places:
        if place.is_file():
            return place
    raise SimulatorError(f"no recording at {' nor '.join(map(str, places))}; give a file, or set LABMW_CORPUS")


def load(path: Path) -> bytes:
    """Return what the instrument sent in a recording; raises SimulatorError."""
    try:
        return from_instrument(path.read_bytes())
    except OSError as error:
        raise SimulatorError(f"{path} cannot be read ({error}); give a recording, .astm or .wire") from error


def messages(data: bytes, encoding: str = "latin-1") -> list[Message]:
    """Return the messages in a recording; raises SimulatorError where it is not one of an ASTM analyzer."""
    if sniff(data) == "records":
        return Message.parse(data, encoding)
    if sniff(data) not in FRAMED:
        raise SimulatorError(f"the recording is not of ASTM frames or records ({sniff(data)}); give another one")
    link = DataLink(tolerances=_LENIENT)
    assembly = Assembly(encoding)
    found: list[Message] = []
    pending: list[Event] = link.receive(data)
    while pending:
        event = pending.pop(0)
        if isinstance(event, FrameReceived):
            found += assembly.feed(event.frame)
            pending += link.accept()
    rest = assembly.close()
    return [*found, rest] if rest is not None else found


def transmissions(name: str, data: bytes, dialect: Dialect, think: float) -> list[Transmission]:
    """Return how to play a recording: framed bytes as they are, records without frames in frames of our own."""
    found = messages(data, dialect.encoding)
    if sniff(data) in FRAMED:
        return [Transmission(name, results(found, dialect), capture=data, think=think)]
    return [
        Transmission(
            f"{name}/{n}", results([one], dialect), tuple(one.records_bytes()), terminated=one.terminated, think=think
        )
        for n, one in enumerate(found, 1)
    ]


def results(found: Sequence[Message], dialect: Dialect) -> tuple[SentResult, ...]:
    """Return the results of messages, read where this family writes them."""
    return tuple(
        _result(dialect, order, result)
        for message in found
        for patient in message.tree.patients
        for order in patient.orders
        for result in order.results
    )


def _result(dialect: Dialect, order: OrderNode, result: ResultNode) -> SentResult:
    by_letter = {"O": order.record, "R": result.record}

    def read(letter: str, field: int, component: int = 0) -> str:
        record: Record | None = by_letter[letter]
        if record is None or not field:
            return ""
        return record.component(field, component) if component else record.field(field)

    code = read("R", *dialect.code_at).rstrip("/")
    completed = next((text for place in dialect.completed_at if (text := read(*place))), "")
    detail = read("R", *dialect.detail_at)
    known = next((one for one in dialect.assays.values() if (one.code, one.detail) == (code, detail)), None)
    return SentResult(
        specimen=read(*dialect.specimen_at).strip(),
        code=code,
        detail=detail,
        value=read("R", *dialect.value_at),
        unit=read("R", 5),
        completed=completed,
        main=known.main if known else not detail,
    )
