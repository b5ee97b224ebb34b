"""One connection of a plain link: the conversation of ASTM frames with another machine under it, and other messages on top.

What is promised is the same, because it is the same code: each block is in the journal before it is answered, the one that ends a message waits for
intake, an owner that is too slow stays silent, and what was not understood is kept whole and acknowledged (laws 3 and 4, decision 0072).
"""

from __future__ import annotations

from labmw.config import Link
from labmw.driver.laying import PlainDriver
from labmw.line.conversation import AstmConversation, Machine, Terms
from labmw.line.gathering import Gatherer, Gathering
from labmw.line.texts import TextGathering
from protocols.plain.links import LINKS
from protocols.plain.message import NAMES
from protocols.plain.receiver import PlainLink, Receiver
from protocols.plain.tolerance import PLAIN, PlainTolerances


class PlainConversation(AstmConversation):
    """Runs one connection of a plain link until it ends."""

    def _receiver(self) -> Machine:
        assert self._terms.plain is not None
        return Receiver(*self._terms.plain)

    def _gathering(self) -> Gatherer:
        return gathering_of(self._terms)


def plain_of(link: Link, driver: object) -> tuple[PlainLink, PlainTolerances] | None:
    """The machine of a link's protocol and its settings, the link's own over its driver's; None for ASTM and HL7. Raises SettingError."""
    plain = LINKS.get(link.protocol)
    if plain is None:
        return None
    wire = driver.wire if isinstance(driver, PlainDriver) else PLAIN
    return plain, wire.changed(link.tolerances, plain.uses, plain.name)


def gathering_of(terms: Terms) -> Gatherer:
    """What puts the messages of a link together, on its line and after a restart."""
    if terms.plain is not None:
        for name in NAMES:
            if terms.plain[0].name == name:
                return TextGathering(name, terms.encoding, terms.message_bytes)
    return Gathering(terms.encoding, terms.tolerances, terms.message_bytes)
