"""How do Beckman Coulter AU chemistry analyzers (Olympus before) and PK blood group analyzers send? Texts of fixed columns, BCC by exclusive or.

    STX D? text ETX BCC   ->   <- ACK half a second later, or NAK and it comes again
    STX D? text ETB BCC   ->   <- ACK                        more of the same text follows, its head repeated

The first two characters say what a text is (`kind_of`). AU: class B answers every text, class A none (`send_replies = false`). PK 7x00: never answered.
Start, end and check characters are chosen in menus of the analyzer, hence tolerances here. Inquiries (R) are stored and shown; labmw sends no
orders (S): decision 0091.

Source: Olympus AU2700/AU5400 On-line Specifications, issued 2000-03-16, revised 2000-06-08, p. 4 (classes), p. 6 (codes, BCC), p. 30 (class A), p. 33 (T4 and T7:
two seconds to answer, changeable; t4: no answer within half a second). PK: the check recomputed on a published transmission of a PK 7300
(blutspende/go-bloodlab-net), which answers nothing.
"""

from typing import Final, Literal

from protocols.astm.control import ETB
from protocols.plain.check import CHECKS, XOR
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import Shape
from protocols.plain.states import Input as I
from protocols.plain.states import State as S
from protocols.plain.states import Table
from protocols.plain.tolerance import PLAIN, PlainTolerances

AU_TABLE: Final[Table] = {
    (S.NEUTRAL, I.BLOCK): ("open_and_hand_over", S.DECIDING),
    (S.NEUTRAL, I.DAMAGE): ("hold_no", S.ANSWERING),
    (S.NEUTRAL, I.BREAK): ("break_session", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT): ("hold_yes", S.ANSWERING),
    (S.DECIDING, I.ACCEPT_PIECE): ("hold_yes", S.ANSWERING),
    (S.DECIDING, I.REFUSE): ("hold_decline", S.ANSWERING),
    (S.DECIDING, I.TIMEOUT): ("fall_silent", S.LATE),
    (S.ANSWERING, I.SPEAK): ("say_held", S.NEUTRAL),
    (S.ANSWERING, I.SPEAK_PIECE): ("say_held_and_go_on", S.RECEIVING),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.REPEAT): ("hold_yes_again", S.ANSWERING),
    (S.RECEIVING, I.DAMAGE): ("hold_no", S.ANSWERING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    (S.LATE, I.ACCEPT): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.ACCEPT_PIECE): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.REFUSE): ("refuse_too_late", S.NEUTRAL),
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.ANSWERING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.LATE, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}

# A transmission goes on until the line is silent: what a PK says of its reagents belongs to the result behind it.
PK_TABLE: Final[Table] = {
    (S.NEUTRAL, I.BLOCK): ("open_and_hand_over", S.DECIDING),
    (S.NEUTRAL, I.DAMAGE): ("refuse_block", S.NEUTRAL),
    (S.NEUTRAL, I.BREAK): ("break_session", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT): ("acknowledge", S.RECEIVING),
    (S.DECIDING, I.ACCEPT_PIECE): ("acknowledge", S.RECEIVING),
    (S.DECIDING, I.REFUSE): ("decline", S.RECEIVING),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.REPEAT): ("acknowledge_again", S.RECEIVING),
    (S.RECEIVING, I.DAMAGE): ("refuse_block", S.RECEIVING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}


def _shape(settings: PlainTolerances) -> Shape:
    check = CHECKS.get(settings.check, XOR)
    return Shape(
        start=settings.start,
        ends=((settings.end, True), (ETB, False)),
        check=check,
        verify=check.size > 0,
        longest=settings.max_block,
    )


Kind = Literal["result", "inquiry", "order", "calibration", "reagent", "bracket", "other"]

_KINDS: Final[dict[str, Kind]] = {
    "D ": "result", "DH": "result", "d ": "result", "dH": "result", "DQ": "result",
    "DR": "calibration", "DA": "calibration",
    "R ": "inquiry", "RH": "inquiry", "Rh": "inquiry",
    "S ": "order", "SH": "order",
    "M ": "reagent", "QR": "reagent", "QD": "reagent",
    "RB": "bracket", "RE": "bracket", "DB": "bracket", "DE": "bracket", "SB": "bracket", "SE": "bracket",
}  # fmt: skip


def kind_of(text: bytes) -> Kind:
    """What a text is, by its first two characters (AU2700/AU5400 On-line Specifications, p. 6; M, QR, QD: a published PK 7300 transmission)."""
    return _KINDS.get(text[:2].decode("latin-1"), "other")


AU_LINK: Final = PlainLink(
    "au",
    AU_TABLE,
    _shape,
    patience=1.9,
    uses=frozenset({"check", "max_block", "send_replies", "start", "end", "pause"}),
)
PK_LINK: Final = PlainLink(
    "pk", PK_TABLE, _shape, patience=1.9, uses=frozenset({"check", "max_block", "start", "end"}), answers=False
)


def write(text: bytes, *, last: bool = True, settings: PlainTolerances = PLAIN) -> bytes:
    """The bytes of one block around its text, as a sender puts it on the line."""
    body = text + bytes([settings.end if last else ETB])
    return bytes([settings.start]) + body + CHECKS.get(settings.check, XOR).of(body)
