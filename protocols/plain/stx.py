"""How does an analyzer send that only puts its report between STX and ETX? Small haematology, electrolyte and HbA1c analyzers.

    STX text ETX (check)  ->   <- ACK, or NAK and it comes again

No session, and by default no check. An ENQ before it is answered with ACK: some wait for that. With `send_replies = false` nothing is answered (the
class A of their manuals). What comes without a check can be damaged and look whole: a driver for such an analyzer reads it strictly, and a laboratory
should prefer a setting with a check where the analyzer has one.

Source: Sysmex KX-21 Operator's Manual, revised February 1998, appendix B, p. B-3 (STX, ETX, class A without and class B with ACK and NAK); Mindray BC-3000
Plus Operator's Manual, appendix D, p. D-5 (ENQ, ACK, NAK, sent again). How long they wait is not told by either page: five seconds are taken.
"""

from typing import Final

from protocols.astm.control import ETB
from protocols.plain.check import CHECKS, NONE
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import Shape
from protocols.plain.states import Input as I
from protocols.plain.states import State as S
from protocols.plain.states import Table
from protocols.plain.tolerance import PlainTolerances

TABLE: Final[Table] = {
    (S.NEUTRAL, I.CALL): ("greet", S.NEUTRAL),
    (S.NEUTRAL, I.BLOCK): ("open_and_hand_over", S.DECIDING),
    (S.NEUTRAL, I.DAMAGE): ("refuse_block", S.NEUTRAL),
    (S.NEUTRAL, I.BREAK): ("break_session", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT): ("acknowledge_and_close", S.NEUTRAL),
    (S.DECIDING, I.ACCEPT_PIECE): ("acknowledge", S.RECEIVING),
    (S.DECIDING, I.REFUSE): ("decline", S.RECEIVING),
    (S.DECIDING, I.TIMEOUT): ("fall_silent", S.LATE),
    (S.RECEIVING, I.CALL): ("say_yes", S.RECEIVING),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.REPEAT): ("acknowledge_again", S.RECEIVING),
    (S.RECEIVING, I.DAMAGE): ("refuse_block", S.RECEIVING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    (S.LATE, I.ACCEPT): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.ACCEPT_PIECE): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.REFUSE): ("refuse_too_late", S.NEUTRAL),
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.LATE, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}


def _shape(settings: PlainTolerances) -> Shape:
    return Shape(
        start=settings.start,
        ends=((settings.end, True), (ETB, False)),
        check=CHECKS.get(settings.check, NONE),
        longest=settings.max_block,
    )


LINK: Final = PlainLink(
    "stx", TABLE, _shape, patience=5.0, uses=frozenset({"check", "max_block", "send_replies", "start", "end"})
)
