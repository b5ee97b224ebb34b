"""What does the link do when something happens: every transition of both roles, in one table.

(state, input) -> (action, next state). Actions are methods of Station of the same name with an underscore before it.
A pair that is not in the table cannot happen or is the owner's Misuse. The drawing in the documentation is made from
this table by protocols.astm.diagram.

Source: E1381-95 §6 and figure A1.1; the inputs that the standard does not know are marked.
"""

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Where the link stands. IntEnum because a state is looked up for every frame, and an int hashes in C."""

    NEUTRAL = 0
    HOLDING = 1  # neutral, but we may not send ENQ before a timer has run out
    BIDDING = 2  # our ENQ is out
    AWAITING_REPLY = 3  # our frame is out
    RECEIVING = 4  # the peer may send a frame or EOT
    DECIDING = 5  # a frame is with the owner, who owes accept() or refuse()
    LATE = 6  # as DECIDING, but the sender has given up waiting


class Input(IntEnum):
    """What can happen, after the circumstances that matter have been looked at."""

    WISH = 0  # line neutral and a message queued
    PAUSE = 1  # the same, but a pause is owed before our ENQ
    CALL = 2  # ENQ, and we can receive
    CALL_REFUSED = 3  # ENQ while we cannot receive, or (not in the standard) in a running session
    RESTART = 4  # not in the standard: ENQ in a running session, tolerated as a new start
    UNANNOUNCED = 5  # not in the standard: a frame without ENQ, tolerated
    FRAME = 6  # good, and new
    REPEAT = 7  # good, and the same as the last accepted
    DAMAGE = 8  # anything that began as a frame and is to be refused
    EOT = 9
    ACK = 10  # to our ENQ, or to a frame that is not the last
    ACK_OF_LAST = 11
    INTERRUPT = 12  # EOT to our frame, and we honour it
    NAK = 13
    SIXTH_NAK = 14
    COLLISION_COMPUTER = 15  # ENQ to our ENQ
    COLLISION_INSTRUMENT = 16
    COLLISION_ANSWERED = 17  # not in the standard: ENQ to the computer's ENQ, tolerated as a call
    TIMEOUT = 18
    TIMEOUT_CROSSED = 19  # not in the standard: our ENQ found no answer, but a frame came
    ACCEPT = 20
    REFUSE = 21
    HANG_UP = 22


S, I = State, Input  # noqa: E741 (the table reads better with one letter)

TABLE: Final[dict[tuple[State, Input], tuple[str, State]]] = {
    # establishment, as receiver
    (S.NEUTRAL, I.CALL): ("open_session", S.RECEIVING),
    (S.HOLDING, I.CALL): ("open_session", S.RECEIVING),
    (S.NEUTRAL, I.CALL_REFUSED): ("refuse_call", S.NEUTRAL),
    (S.HOLDING, I.CALL_REFUSED): ("refuse_call", S.HOLDING),
    (S.NEUTRAL, I.UNANNOUNCED): ("open_unannounced", S.RECEIVING),
    (S.HOLDING, I.UNANNOUNCED): ("open_unannounced", S.RECEIVING),
    # establishment, as sender
    (S.NEUTRAL, I.WISH): ("bid", S.BIDDING),
    (S.NEUTRAL, I.PAUSE): ("pause", S.HOLDING),
    (S.HOLDING, I.TIMEOUT): ("end_pause", S.NEUTRAL),
    (S.BIDDING, I.ACK): ("send_first", S.AWAITING_REPLY),
    (S.BIDDING, I.NAK): ("wait_busy", S.HOLDING),
    (S.BIDDING, I.COLLISION_COMPUTER): ("yield_line", S.HOLDING),
    (S.BIDDING, I.COLLISION_INSTRUMENT): ("insist", S.HOLDING),
    (S.BIDDING, I.COLLISION_ANSWERED): ("yield_and_open", S.RECEIVING),
    (S.BIDDING, I.TIMEOUT): ("give_up_bid", S.HOLDING),
    (S.BIDDING, I.TIMEOUT_CROSSED): ("give_up_silently", S.HOLDING),
    # transfer, as sender
    (S.AWAITING_REPLY, I.ACK): ("send_next", S.AWAITING_REPLY),
    (S.AWAITING_REPLY, I.ACK_OF_LAST): ("finish", S.NEUTRAL),
    (S.AWAITING_REPLY, I.INTERRUPT): ("give_way", S.HOLDING),
    (S.AWAITING_REPLY, I.NAK): ("send_again", S.AWAITING_REPLY),
    (S.AWAITING_REPLY, I.SIXTH_NAK): ("abort_refused", S.HOLDING),
    (S.AWAITING_REPLY, I.TIMEOUT): ("abort_unanswered", S.HOLDING),
    # transfer, as receiver
    (S.RECEIVING, I.FRAME): ("hand_over", S.DECIDING),
    (S.RECEIVING, I.REPEAT): ("acknowledge_again", S.RECEIVING),
    (S.RECEIVING, I.DAMAGE): ("refuse_frame", S.RECEIVING),
    (S.RECEIVING, I.CALL_REFUSED): ("refuse_call", S.RECEIVING),
    (S.RECEIVING, I.RESTART): ("restart_session", S.RECEIVING),
    (S.DECIDING, I.ACCEPT): ("acknowledge", S.RECEIVING),
    (S.DECIDING, I.REFUSE): ("decline", S.RECEIVING),
    (S.DECIDING, I.TIMEOUT): ("fall_silent", S.LATE),
    (S.LATE, I.ACCEPT): ("accept_too_late", S.NEUTRAL),
    (S.LATE, I.REFUSE): ("refuse_too_late", S.NEUTRAL),
    # termination
    (S.RECEIVING, I.EOT): ("close_session", S.NEUTRAL),
    (S.RECEIVING, I.TIMEOUT): ("time_out_session", S.NEUTRAL),
    # the wire is gone
    (S.NEUTRAL, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.HOLDING, I.HANG_UP): ("forget", S.NEUTRAL),
    (S.BIDDING, I.HANG_UP): ("break_off_sending", S.NEUTRAL),
    (S.AWAITING_REPLY, I.HANG_UP): ("break_off_sending", S.NEUTRAL),
    (S.RECEIVING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.DECIDING, I.HANG_UP): ("break_off_session", S.NEUTRAL),
    (S.LATE, I.HANG_UP): ("break_off_session", S.NEUTRAL),
}
