"""What is said to the sender of an HL7 message? A commit acknowledgment, an application reply, both, or nothing: as MSH-15 and MSH-16 ask.

Original mode, and IHE's NE and AL: one application reply (AA, AE, AR). Where a commit acknowledgment is asked for it comes first, and says what has
become of the message: CA it is stored; CR its type or version is not served, and no application reply follows; CE it is not stored, and sending
again may help. The application reply is then a message of its own (HL7 2.5.1 chapter 2.9.3, decision 0079). Where a commit acknowledgment is asked
for on error only, and an application reply as well (cobas 4800: ER and AL), the application reply alone is said.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from labmw.clock import Clock
from labmw.line.conversation import Terms
from labmw.line.received import Stored
from protocols.hl7.acknowledgment import ErrorDetail, Location, When, ack, wanted
from protocols.hl7.er7 import Message

UNSERVED = frozenset({"unsupported-type", "unsupported-version"})
_FRAMING = b"\x0b\x1c"


def unserved(message: Message, reason: str) -> ErrorDetail:
    """Why a message is not served at all: its version, else its type."""
    if reason == "unsupported-version":
        text = f"HL7 version {message.version[:20]} is not served; send 2.5.1"
        return ErrorDetail("203", text, Location("MSH", field=12))
    kind = f"{message.code}^{message.trigger}" if message.code else "a message without a type"
    return ErrorDetail("200", f"{kind[:40]} is not served on this line", Location("MSH", field=9))


@dataclass(frozen=True, slots=True)
class Said:
    """What is written to the sender, in this order; `owed` names the reply where it is owed from now on."""

    commit: bytes = b""
    reply: bytes = b""
    owed: str = ""
    kept: bool = True  # False: the message is not in the store, and its sender has it still

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The messages to be sent."""
        return tuple(one for one in (self.commit, self.reply) if one)


@dataclass(frozen=True, slots=True)
class Answering:
    """The answers of one link."""

    terms: Terms
    clock: Clock

    def apart(self, message: Message) -> bool:
        """Whether the sender will be told that its message is stored, and then waits for an application reply of its own."""
        asked = wanted(message)
        return (
            asked.owes_commit(accepted=True)
            and asked.application is not When.NEVER
            and self.terms.two_replies
            and not self.terms.tap
        )

    def accept(self, message: Message) -> str:
        """MSH-15 of the application reply; "" where it is the only one."""
        return self.terms.reply_accept if self.apart(message) and self.terms.reply_accept != "NE" else ""

    def application(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        """The application reply with this MSA-1; b"" where none is wanted, or a commit acknowledgment says it."""
        asked = wanted(message)
        if self.terms.tap or not asked.owes_application(code == "AA"):
            return b""
        if code == "AR" and self._commits(message, accepted=False):
            return b""
        return self._ack(message, code, error, accept=self.accept(message))

    def stored(self, message: Message, stored: Stored, *, owed: bool) -> Said:
        """What is said once a message is in the store."""
        if stored.disposition == "refused" and stored.reason in UNSERVED:
            if not self._commits(message, accepted=False):
                return Said(reply=b"" if self.terms.tap else stored.reply)
            return Said(self._ack(message, "CR", unserved(message, stored.reason)))
        reply = b"" if self.terms.tap else stored.reply
        if not self._commits(message, accepted=True) or (reply and not self.terms.two_replies):
            return Said(reply=reply)
        number = Message.parse(reply).control_id if owed and reply else ""
        return Said(self._ack(message, "CA", None), reply, number)

    def refusal(self, message: Message, code: str, error: ErrorDetail) -> bytes:
        """The commit acknowledgment of what is not in the store: CR it never will be, CE sending again may help; b"" where none is asked for."""
        return self._ack(message, code, error) if self._commits(message, accepted=False) else b""

    def _commits(self, message: Message, *, accepted: bool) -> bool:
        asked = wanted(message)
        one_word = asked.commit is When.ON_ERROR or not self.terms.two_replies
        if not accepted and one_word and asked.owes_application(accepted=False):
            return False  # it waits for the application reply in any case, which says the same (law 4: AR, AE)
        return asked.owes_commit(accepted) and not self.terms.tap

    def _ack(self, message: Message, code: str, error: ErrorDetail | None, *, accept: str = "") -> bytes:
        now = self.clock.now().astimezone()
        number = uuid.uuid4().hex[:20].upper()
        made = ack(message, code, control_id=number, when=now.strftime("%Y%m%d%H%M%S%z"), error=error, accept=accept)
        return made.translate(None, _FRAMING)  # an MSH-10 with VT or FS cannot be sent back: they would cut the block
