"""Which replies does a message call for, how is one written, and what did one say? MSA and ERR.

Original mode: one application reply (AA, AE, AR). Enhanced mode, when MSH-15 or MSH-16 is filled: a commit reply (CA, CE,
CR) as MSH-15 says and an application reply as MSH-16 says. Source: HL7 2.5.1 chapter 2.9, table 0155.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from protocols.errors import Hl7Error
from protocols.hl7.er7 import Field, Message, Raw, Segment, segment
from protocols.hl7.version import OURS, served

CODES = {
    "AA": "application accept",
    "AE": "application error: the content is wrong",
    "AR": "application reject: type, version or processing id is not served, or the receiver is down",
    "CA": "commit accept: stored safely, the application reply follows if one was asked for",
    "CE": "commit error: not stored, sending again may help",
    "CR": "commit reject: not stored, sending again will not help",
}
"""Table 0008, MSA-1."""

ERRORS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""Table 0357, ERR-3."""


class When(Enum):
    """Table 0155: under which outcome the sender wants a reply."""

    ALWAYS = "AL"
    NEVER = "NE"
    ON_ERROR = "ER"
    ON_SUCCESS = "SU"


OWED = {
    (When.ALWAYS, True): True,
    (When.ALWAYS, False): True,
    (When.NEVER, True): False,
    (When.NEVER, False): False,
    (When.ON_ERROR, True): False,
    (When.ON_ERROR, False): True,
    (When.ON_SUCCESS, True): True,
    (When.ON_SUCCESS, False): False,
}
"""Whether a reply is owed, by what the sender asked for and whether the message was accepted."""


@dataclass(frozen=True, slots=True)
class Mode:
    """The replies that the sender of a message waits for."""

    enhanced: bool
    commit: When
    application: When

    def owes_commit(self, accepted: bool) -> bool:
        """Whether CA, CE or CR is to be sent, now."""
        return OWED[self.commit, accepted]

    def owes_application(self, accepted: bool) -> bool:
        """Whether AA, AE or AR is to be sent."""
        return OWED[self.application, accepted]


ORIGINAL = Mode(enhanced=False, commit=When.NEVER, application=When.ALWAYS)
"""Neither MSH-15 nor MSH-16: one application reply. IHE's NE and AL ask for the same in the words of enhanced mode."""

SILENT = Mode(enhanced=False, commit=When.NEVER, application=When.NEVER)
"""Nothing is to be said: a commit acknowledgment, or a reply of original mode."""


def wanted(message: Message) -> Mode:
    """The replies that a message calls for: as ``mode``, and for a reply never more than a commit acknowledgment.

    An application reply may itself ask to be accept-acknowledged (MSH-15, 2.5.1 chapter 2.9.3); a commit acknowledgment never
    is, and no reply is answered by an application reply: two stations would go on for ever. An ACK without MSA is none the less a reply.
    """
    said = message.first("MSA")
    if said is None:
        return SILENT if message.code == "ACK" else mode(message)
    asked = mode(message)
    if not asked.enhanced or said.component(1).startswith("C"):
        return SILENT
    return Mode(True, asked.commit, When.NEVER)


def mode(message: Message) -> Mode:
    """What MSH-15 and MSH-16 ask for. With only one of them filled, the empty one asks for nothing.

    A code outside table 0155 asks for a reply always: one too many is a nuisance, a missing one stops the sender.
    """
    accept, application = (message.header.component(n) for n in (15, 16))
    if not accept and not application:
        return ORIGINAL
    return Mode(True, _when(accept), _when(application))


def _when(code: str) -> When:
    if not code:
        return When.NEVER
    return When(code) if code in When._value2member_map_ else When.ALWAYS


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the message an error is (data type ERL): the segment, which one of that name, and as far as known the field."""

    segment: str
    sequence: int = 1
    field: int | None = None
    repetition: int | None = None
    component: int | None = None
    subcomponent: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One error: its code in table 0357, what to tell people, and where it is."""

    code: str
    text: str = ""
    location: Location | None = None
    severity: str = "E"  # table 0516: E error, W warning, I information, F fatal


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """What a reply says about the message with this control id."""

    code: str
    control_id: str
    text: str = ""
    errors: tuple[ErrorDetail, ...] = ()

    @property
    def accepted(self) -> bool:
        """AA or CA."""
        return self.code in ("AA", "CA")

    @property
    def commit(self) -> bool:
        """CA, CE or CR: the application reply, if one was asked for, is still to come."""
        return self.code.startswith("C")


def ack(
    message: Message, code: str, *, control_id: str, when: str, error: ErrorDetail | None = None, accept: str = ""
) -> bytes:
    """The general acknowledgment of a message, in its own separators, version and encoding.

    ``when`` is MSH-7 of the reply, ``control_id`` its own MSH-10, ``accept`` its MSH-15: whether it is to be
    accept-acknowledged itself. A version that is not served is answered in ours, and not repeated as if it were one.
    Before version 2.5 the error is told in the ERR-1 and MSA-3 of that time. A character of the error text that the encoding lacks becomes a question mark: a reply must go out.
    Raises: Hl7Error for a code outside table 0008, and for an error beside an accepting code.
    """
    if code not in CODES:
        raise Hl7Error(f"{code!r} is not an acknowledgment code: use {', '.join(CODES)}")
    if error and code in ("AA", "CA"):
        raise Hl7Error(f"{code} accepts and cannot carry an error: answer AE or AR, or leave the error out")
    header, separators = message.header, message.separators
    kind: tuple[str, ...] = ("ACK", message.trigger, "ACK") if message.trigger else ("ACK",)

    def same(n: int) -> Raw:
        return Raw(header.field(n))

    msh: list[Field] = [
        "MSH",
        None,
        None,
        same(5),
        same(6),
        same(3),
        same(4),
        when,
        None,
        kind,
        control_id,
        same(11),
        same(12) if message.version and served(message.version) else OURS,
    ]
    msh += [None] * 2 + [accept or None, "NE" if accept else None] + [same(17), same(18), None, None, same(21)]
    msa: list[Field] = ["MSA", code, same(10)]
    rows: list[list[Field]] = [msh, msa]
    if error:
        if served(message.version) and _before_2_5(message.version):
            msa.append(error.text)
            rows.append(["ERR", _eld(error)])
        else:
            rows.append(
                ["ERR", None, _erl(error.location), _coded(error.code), error.severity, None, None, None, error.text]
            )
    text = "".join(segment(row, separators).line + "\r" for row in rows)
    return _encoded(text, message.encoding)


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        # What was copied from the message can be encoded; only our own error text cannot.
        return b"".join(_one(character, encoding) for character in text)


def _one(character: str, encoding: str) -> bytes:
    try:
        return character.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return b"?"


def _before_2_5(version: str) -> bool:
    major, _, minor = version.partition(".")
    return (major, minor[:1]) < ("2", "5") if major and minor else False


def _coded(code: str) -> tuple[str, ...]:
    return (code, ERRORS.get(code, ""), "HL70357")


def _eld(error: ErrorDetail) -> Field:
    place = error.location or Location("")
    numbers = (place.sequence if place.segment else None, place.field)
    return (place.segment, *("" if n is None else str(n) for n in numbers), _coded(error.code))


def _erl(place: Location | None) -> Field:
    if place is None:
        return None
    numbers = (place.sequence, place.field, place.repetition, place.component, place.subcomponent)
    return (place.segment, *("" if n is None else str(n) for n in numbers))


def read_ack(message: Message) -> Acknowledgment:
    """What the MSA and ERR of a reply say; replies with content (RSP, ORL) are read the same way.

    Raises: Hl7Error when there is no MSA, or its code is none of table 0008.
    """
    msa = message.first("MSA")
    if msa is None:
        raise Hl7Error(f"{message.header.field(9)!r} has no MSA: it is not a reply")
    code = msa.component(1)
    if code not in CODES:
        raise Hl7Error(f"MSA-1 is {msa.field(1)[:20]!r}: a reply says one of {', '.join(CODES)}")
    errors = [detail for err in message.all("ERR") for detail in _errors(err)]
    if not errors and msa.component(6):
        errors = [ErrorDetail(msa.component(6), msa.component(6, 2))]
    return Acknowledgment(code, msa.component(2), msa.text(3), tuple(errors))


def _errors(err: Segment) -> list[ErrorDetail]:
    if err.component(3):
        place = [err.component(2, c) for c in range(1, 7)]
        location = Location(place[0], *_numbers(place[1:])) if place[0] else None
        text = err.text(8) or err.text(7) or err.component(3, 2)
        return [ErrorDetail(err.component(3), text, location, err.component(4) or "E")]
    old = []
    for repetition in range(1, len(err.repetitions(1)) + 1):
        name, sequence, field = (err.component(1, c, repetition=repetition) for c in (1, 2, 3))
        location = Location(name, *_numbers([sequence, field])) if name else None
        code, text = (err.component(1, 4, s, repetition) for s in (1, 2))
        old.append(ErrorDetail(code, text, location))
    return old


def _numbers(texts: list[str]) -> list[int]:
    # A location is for people: from the first part on that is no number, it is left out.
    numbers: list[int] = []
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            break
        numbers.append(int(text))
    return numbers
