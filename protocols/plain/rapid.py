"""How does a Siemens RAPIDPoint or RAPIDLab blood gas analyzer send? Texts of named fields, a sum over all of the block, and answers that are blocks.

    STX SMP_NEW_AV FS RS aMOD GS .. FS rSEQ GS .. FS RS ETX cc EOT   ->   <- STX ACK ETX 0B EOT
                                                                          <- STX SMP_REQ FS RS aMOD .. iIID .. rSEQ .. FS RS ETX cc EOT
    STX ACK ETX 0B EOT                                               ->
    STX SMP_NEW_DATA FS RS aMOD GS .. FS mpH GS 7.38 GS GS GS FS .. RS ETX cc EOT   ->   <- STX ACK ETX 0B EOT

The analyzer only says that a result is there (..._NEW_AV); it is sent when it is asked for by its number, and that is the line's business, not that of
whoever reads it. ID_REQ asks who we are. Whatever else it says of itself (SYS_READY, SMP_START, ...) is acknowledged and holds no result. How a damaged
block is refused no source shows: nothing is said, and what was not acknowledged comes again.

Source: four public host programs that agree on blocks, sum and acknowledgment (gmcs for a RAPIDPoint 500; MedLink; a C# library for RAPIDPoint and
RAPIDLab 1200, which alone asks for controls by QC_REQ where another uses SMP_REQ; an interface for a RAPIDLab 855). No document of the maker was read.
How long it waits is not told: ten seconds, after which one of them gives up itself.
"""

from collections.abc import Mapping
from typing import Final

from protocols.astm.control import ACK, ETX, NAK
from protocols.plain.check import SUM
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import Shape
from protocols.plain.states import Input as I
from protocols.plain.states import State as S
from protocols.plain.states import Table
from protocols.plain.tolerance import PlainTolerances

FS: Final = "\x1c"
RS: Final = "\x1e"
GROUP: Final = "\x1d"
ASKED: Final = 64  # characters of a field that is sent back in a question

TABLE: Final[Table] = {
    (S.NEUTRAL, I.BLOCK): ("open_and_hand_over", S.DECIDING),
    (S.NEUTRAL, I.DAMAGE): ("refuse_block", S.NEUTRAL),
    (S.NEUTRAL, I.BREAK): ("break_session", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT): ("acknowledge_and_close", S.NEUTRAL),
    (S.DECIDING, I.REFUSE): ("decline", S.RECEIVING),
    (S.DECIDING, I.TIMEOUT): ("fall_silent", S.LATE),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.DAMAGE): ("refuse_block", S.RECEIVING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    (S.LATE, I.ACCEPT): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.REFUSE): ("refuse_too_late", S.NEUTRAL),
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.LATE, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}


def _shape(settings: PlainTolerances) -> Shape:
    replies = frozenset((bytes([ACK]), bytes([NAK])))
    return Shape(ends=((ETX, True),), check=SUM, tail=b"\x04", whole=True, replies=replies, longest=settings.max_block)


def kind_of(text: bytes) -> str:
    """What a text is: the name before its first FS."""
    return text.partition(FS.encode())[0].decode("latin-1")


def fields_of(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The fields of a text behind its name, each with its values: the value, its unit, what is wrong with it, and a last one."""
    body = text.partition(FS)[2].replace(RS, "")
    return [(name, tuple(values)) for one in body.split(FS) if one for name, *values in [one.split(GROUP)]]


def write(name: str, fields: Mapping[str, str]) -> bytes:
    """The bytes of one block around a name and its fields, as either side puts it on the line."""
    body = "".join(f"{key}{GROUP}{value}{GROUP}{GROUP}{GROUP}{FS}" for key, value in fields.items())
    return _enclosed(f"{name}{FS}{RS}{body}{RS}".encode("latin-1"))


def _enclosed(text: bytes) -> bytes:
    block = b"\x02" + text + bytes([ETX])
    return block + b"%02X" % (sum(block) & 0xFF) + b"\x04"


def _says(character: int) -> bytes:
    return _enclosed(bytes([character])) if character == ACK else b""


def _asks(text: bytes) -> bytes:
    """Ask for a result that is there; tell who we are."""
    kind = kind_of(text)
    if kind == "ID_REQ":
        return write("ID_DATA", {"aMOD": "LIS", "iIID": "LABMW"})
    if not kind.endswith("_NEW_AV"):
        return b""
    found = {name: values[0] for name, values in fields_of(text.decode("latin-1")) if values}
    asked = {name: found.get(name, "") for name in ("aMOD", "iIID", "rSEQ")}
    if not asked["rSEQ"] or any(len(one) > ASKED or not one.isprintable() for one in asked.values()):
        return b""  # which one is not said: nothing can be asked for
    return write(kind.removesuffix("_NEW_AV") + "_REQ", asked)


LINK: Final = PlainLink(
    "rapid",
    TABLE,
    _shape,
    patience=9.0,
    uses=frozenset({"max_block", "send_replies"}),
    says=_says,
    asks=_asks,
)

__all__ = ["FS", "GROUP", "LINK", "RS", "fields_of", "kind_of", "write"]
