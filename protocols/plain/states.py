"""Where may a plain link stand, and what can happen on it? Every link's own table is made of these words."""

from collections.abc import Mapping
from enum import IntEnum


class State(IntEnum):
    """Where the link stands."""

    NEUTRAL = 0
    RECEIVING = 1  # a session is open, or more of a text is to come
    DECIDING = 2  # a block is with the owner, who owes accept() or refuse()
    ANSWERING = 3  # the answer is known and waits until the sender can hear it
    LATE = 4  # as DECIDING, but the sender has given up waiting


class Input(IntEnum):
    """What can happen, after the circumstances that matter have been looked at."""

    CALL = 0  # ENQ
    OPENING = 1  # STX, where the sender waits for an answer to it
    BLOCK = 2  # whole, and its check is right
    REPEAT = 3  # the same bytes as the piece that was accepted last
    DAMAGE = 4  # anything that began as a block and is to be refused
    BREAK = 5  # EOT inside a block
    CLOSING = 6  # ETX, where every record before it was answered by itself
    END = 7  # EOT
    ACCEPT = 8  # of a whole text
    ACCEPT_PIECE = 9  # of a part, more of which follows
    REFUSE = 10
    SPEAK = 11  # the pause before our answer is over, and nothing more is to come
    SPEAK_PIECE = 12  # the same, and more is to come
    TIMEOUT = 13
    HANG_UP = 14


Table = Mapping[tuple[State, Input], tuple[str, State]]
"""(state, input) -> (action, next state). Actions are methods of protocols.plain.receiver.Receiver with an underscore before them.

A pair that is not in a link's table and came off the wire belongs to nothing there: its bytes are noise.
"""
