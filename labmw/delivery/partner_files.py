"""How do messages get to a partner by files? Whole or not there at all, numbered without a gap; its answers come as files too, and name the message.

HPRIM Santé H2.1 (protocols/hprim.py), or HL7 as it is. A file that is there already with the same bytes is one whose receipt was lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from labmw.delivery.mllp import Unreachable
from labmw.errors import DeliveryError, PlaceError
from labmw.line.file_place import FilePlace
from labmw.partner import Exchange
from labmw.store import schema, statements
from labmw.store.statements import partners as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.errors import Hl7Error, HprimError
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.er7 import Message
from protocols.hprim import parse
from protocols.hprim_hl7 import to_hl7, to_hprim


def message_of(data: bytes, exchange: Exchange | None) -> Message:
    """The HL7 message that bytes of an exchange stand for; raises Hl7Error or HprimError."""
    if exchange is not None and exchange.format == "hprim":
        return to_hl7(parse(data, exchange.encoding))
    return Message.parse(data)


def charset_of(data: bytes, exchange: Exchange) -> str:
    """The character set of a file where it is another one than agreed; "" where it is not, or the file has none of its own."""
    if exchange.format != "hprim":
        return ""
    file = parse(data, exchange.encoding)
    return file.encoding if file.charset_problem else ""


def written_for(terms: PartnerTerms, outbox: Row, message: bytes) -> Transaction[bytes]:
    """The bytes of a message as they go to a partner: in its envelope, under the name of its file.

    The numbers of files are kept apart from the messages: one that cannot be written leaves no gap, and what retention destroys gives no number again.
    """
    files = terms.partner.files
    if files is None or files.format == "hl7":
        return message
    site, partner = terms.lis.site, terms.partner.name
    subject = str(outbox.control_id)  # not the row, whose number may be given again once it is destroyed
    mine = yield stored.file_laid(site, partner, subject)  # written anew: an INS was withdrawn from it
    last = yield stored.last_file(site, partner)
    number = mine[0].number if mine else 1 + (last[0].number if last else 0)
    name = f"{files.prefix}{number:06d}.HPR"
    try:
        data = to_hprim(message, name, files.encoding)
    except (Hl7Error, HprimError) as error:
        raise DeliveryError(f"no HPRIM file can be written: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if mine:
        yield change(schema.partner_file, mine[0].id, digest=digest)
    else:
        yield statements.insert(
            schema.partner_file, site=site, partner=partner, direction="out", name=name, number=number, digest=digest, state="sent",
            detail=subject, at=outbox.created_at,
        )  # fmt: skip
    return data


def name_of(control_id: str, message: bytes, exchange: Exchange) -> str:
    """The name of the file of a message."""
    if exchange.format == "hl7":
        return f"{control_id}.hl7"
    file = parse(message, exchange.encoding)
    name = file.values(file.records[0], 3)[0]
    if not name or Path(name).name != name or name.startswith("."):
        raise DeliveryError(f"{name!r} is no name for a file")
    return name


class PartnerDrop:
    """Lays messages into the folder that a partner reads."""

    def __init__(self, exchange: Exchange, out: FilePlace) -> None:
        self._exchange, self._out = exchange, out
        self.stray: Callable[[Acknowledgment, bytes], None] = lambda acknowledgment, raw: None

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Lay one message down and return its receipt; raises Unreachable while the place cannot be written, DeliveryError when the name is another's."""
        name = name_of(control_id, message, self._exchange)
        try:
            mine = await self._out.lay(name, message)
        except PlaceError as error:
            raise Unreachable(str(error), error.code, **error.facts) from error
        if not mine:
            raise DeliveryError(
                f"{self._out.title}/{name} is there already with other bytes; look who writes into this folder"
            )
        return Acknowledgment("AA", control_id), f"{name} sha256={hashlib.sha256(message).hexdigest()}".encode()

    async def close(self) -> None:
        """Hang up."""
        await self._out.close()
