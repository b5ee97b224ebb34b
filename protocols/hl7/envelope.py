"""Who sends what to whom, and what does a reply say first? MSH, MSA and ERR of the messages of LAW, LTW and ILW."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from protocols.errors import Hl7Error
from protocols.hl7 import strict
from protocols.hl7.acknowledgment import ERRORS, Acknowledgment, ErrorDetail
from protocols.hl7.datatypes import EntityId
from protocols.hl7.er7 import Field, Message, Segment, build, segment
from protocols.hl7.fields import row
from protocols.hl7.report import Header
from protocols.hl7.separators import STANDARD, Separators

UTF8 = "UNICODE UTF-8"


def read_header(msh: Segment) -> Header:
    """Sender, receiver, time and number of a message."""
    application, facility, to_application, to_facility, when, control_id, processing, country = msh.values(
        3, 4, 5, 6, 7, 10, 11, 17
    )
    profile = EntityId.read(msh, 21)
    return Header(application, facility, to_application, to_facility, when, control_id, processing, country, profile)


def answering(header: Header, control_id: str, when: str) -> Header:
    """The header of the reply: sender and receiver change places, it has its own number and time."""
    return replace(
        header,
        sending_application=header.receiving_application,
        sending_facility=header.receiving_facility,
        receiving_application=header.sending_application,
        receiving_facility=header.sending_facility,
        when=when,
        control_id=control_id,
    )


def msh(
    header: Header,
    kind: tuple[str, ...],
    *,
    accept: str = "",
    application: str = "",
    version: str = "2.5.1",
    charset: str = UTF8,
    profile: tuple[str, str] | None = None,
) -> list[Field]:
    """The MSH row; ``profile`` is MSH-21 where the header names none."""
    strict.require("MSH-10", header.control_id, "give every message its own control id")
    strict.check_time("MSH-7", strict.require("MSH-7", header.when, "give the time of sending"))
    return row(
        "MSH",
        {
            3: header.sending_application,
            4: header.sending_facility,
            5: header.receiving_application,
            6: header.receiving_facility,
            7: header.when,
            9: kind,
            10: header.control_id,
            11: header.processing,
            12: version,
            15: accept,
            16: application,
            17: header.country,
            18: charset,
            21: header.profile.components() if header.profile else profile,
        },
    )


def msa(reply: Acknowledgment) -> list[list[Field]]:
    """The MSA row, and an ERR row for each error.

    Raises: Hl7Error for an error beside AA.
    """
    if reply.accepted and any(error.severity in ("E", "F") for error in reply.errors):
        raise Hl7Error(f"{reply.code} accepts and cannot carry an error: answer AE or AR, or leave the error out")
    rows = [row("MSA", {1: reply.code, 2: reply.control_id, 3: reply.text})]
    return rows + [_err(error) for error in reply.errors]


def _err(error: ErrorDetail) -> list[Field]:
    place = error.location
    where: Field = None
    if place:
        counted = (place.sequence, place.field, place.repetition, place.component, place.subcomponent)
        where = (place.segment, *("" if n is None else str(n) for n in counted))
    code = (error.code, ERRORS.get(error.code, ""), "HL70357")
    return row("ERR", {2: where, 3: code, 4: error.severity, 8: error.text})


def seal(rows: Iterable[list[Field]], separators: Separators = STANDARD, ascii_text: bool = False) -> bytes:
    """The bytes of a message that we compose; with ``ascii_text``, letters lose what ASCII cannot write.

    Raises: Hl7Error for a control character, or a character that MSH-18 cannot carry.
    """
    made = []
    for item in rows:
        strict.check_texts(item)
        line = segment(item, separators).line
        made.append(Segment(plain(line) if ascii_text else line, separators))
    return build(made, separators)


def plain(text: str) -> str:
    """A text in ASCII: accents dropped, a question mark for what has no such letter. No separator can come out of it."""
    return text if text.isascii() else "".join(_plain(character) for character in text)


_SPELLED = {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "ø": "o", "Ø": "O", "µ": "u", "μ": "u", "’": "'"}


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _SPELLED:
        return _SPELLED[character]
    letters = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    # A full-width bar becomes "|" under NFKD: only letters and digits may come out, or a name could add a field.
    return letters if not letters or (letters.isascii() and letters.isalnum()) else "?"


def expect(message: Message, code: str, *triggers: str) -> None:
    """Raise Hl7Error unless the message is of this type."""
    if message.code != code or message.trigger not in triggers:
        wanted = ", ".join(f"{code}^{trigger}" for trigger in triggers)
        raise Hl7Error(f"{message.header.field(9)!r} is not {wanted}: read it with the reader of its own type")
