"""How does bioMérieux send? VIDAS, mini VIDAS and VITEK through BCI: a session, tagged fields in lines that begin with RS, a sum behind GS.

    ENQ                              ->   <- ACK
    STX RS mtrsl|pi...|RS ci...|GS cc ->  <- ACK as soon as the sum is there
    ETX EOT                          ->

The answer is due behind the sum, not behind ETX: a mini VIDAS waits for it before it sends ETX, and a sender that does not wait hears one answer all
the same. ETX and line ends after the sum belong to the block. RS begins each field on a mini VIDAS and each line of up to 80 characters on the
others, where it may stand inside a field and even inside a tag: it separates nothing and is dropped.

Source: the sum and where it is answered: published messages, recomputed (protocols.plain.check), and the link of jefrisibarani/tobasa-cpp
(bci/datalink.cpp, which ACKs on the sum); a mini VIDAS read by time-outs in a published log ("GS 37", then ETX EOT by themselves). Control characters:
bioMérieux, Bidirectional Computer Interface Specification (RS232) 514724-1EN1, 08/2012, chapter 2. How long a sender waits is not told: as in ASTM.
"""

import re
from typing import Final

from protocols.plain.check import SUM
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import GS, Shape
from protocols.plain.states import Input as I
from protocols.plain.states import State as S
from protocols.plain.states import Table
from protocols.plain.tolerance import PlainTolerances

RS: Final = 0x1E

TABLE: Final[Table] = {
    (S.NEUTRAL, I.CALL): ("open_session", S.RECEIVING),
    (S.RECEIVING, I.CALL): ("restart_session", S.RECEIVING),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.DAMAGE): ("refuse_block", S.RECEIVING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.END): ("close_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT): ("acknowledge", S.RECEIVING),
    (S.DECIDING, I.REFUSE): ("decline", S.RECEIVING),
    (S.DECIDING, I.TIMEOUT): ("fall_silent", S.LATE),
    (S.LATE, I.ACCEPT): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.REFUSE): ("refuse_too_late", S.NEUTRAL),
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.LATE, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}


def _shape(settings: PlainTolerances) -> Shape:
    return Shape(
        ends=((GS, True),), check=SUM, verify=settings.check != "none", tail=b"\x03\r\n", longest=settings.max_block
    )


LINK: Final = PlainLink("tags", TABLE, _shape, patience=14.0, uses=frozenset({"check", "max_block", "send_replies"}))

_TAG: Final = re.compile(r"[a-z][a-z0-9]")


def fields_of(text: str) -> list[tuple[str, str]]:
    """The fields of a block as (tag, value), in order; what does not begin with a tag has the tag ""."""
    joined = text.translate({RS: None, 0x0D: None, 0x0A: None})
    pieces = joined.split("|")
    if pieces and not pieces[-1]:
        pieces.pop()  # behind the last delimiter
    return [(piece[:2], piece[2:]) if _TAG.match(piece) else ("", piece) for piece in pieces]


def write(text: bytes) -> bytes:
    """The bytes of one block around its text, as a sender puts it on the line."""
    body = text + bytes([GS])
    return b"\x02" + body + SUM.of(body) + b"\x03"
