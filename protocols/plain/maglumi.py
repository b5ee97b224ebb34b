"""How does a Snibe MAGLUMI send? ASTM records between STX and ETX, without frame numbers and checksums, and an answer to every control character.

    ENQ  ->  <- ACK     STX  ->  <- ACK     records  ->     ETX  ->  <- ACK     EOT  ->  <- ACK

With `acknowledge = "records"` each record (to its CR) is answered as well. Nothing but the records themselves tells whether they came whole. One
connection is used for any number of transmissions, with long silences between them.

Source: Snibe, MAGLUMI 4000 Plus Operating Instructions, appendix B, p. B-1 (control characters); which of them are answered, that no checksum comes and
the analyzer's patience (three seconds, three times): the bench notes on a MAGLUMI X3 of aiLabSolution/openelis-analyzer-bridge, July 2026.
"""

from typing import Final

from protocols.astm.control import ETX
from protocols.plain.receiver import PlainLink
from protocols.plain.scanner import Shape
from protocols.plain.states import Input as I
from protocols.plain.states import State as S
from protocols.plain.states import Table
from protocols.plain.tolerance import PlainTolerances

TABLE: Final[Table] = {
    (S.NEUTRAL, I.CALL): ("open_session", S.RECEIVING),
    (S.RECEIVING, I.CALL): ("restart_session", S.RECEIVING),
    (S.RECEIVING, I.OPENING): ("say_yes", S.RECEIVING),
    (S.RECEIVING, I.BLOCK): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.REPEAT): ("acknowledge_again", S.RECEIVING),
    (S.RECEIVING, I.CLOSING): ("say_yes", S.RECEIVING),
    (S.RECEIVING, I.DAMAGE): ("refuse_block", S.RECEIVING),
    (S.RECEIVING, I.BREAK): ("break_session", S.NEUTRAL),
    (S.RECEIVING, I.END): ("close_and_answer", S.NEUTRAL),
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
        ends=((ETX, True),),
        opening=True,
        records=settings.acknowledge == "records",
        longest=settings.max_block,
    )


LINK: Final = PlainLink(
    "maglumi", TABLE, _shape, patience=2.5, uses=frozenset({"acknowledge", "max_block", "send_replies"})
)
