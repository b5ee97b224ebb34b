"""LAB-1 and LAB-4: what is said of each order? ORL^O22, ORL^O34, ORL^O36, and ORR^O02 to an older ORM^O01; written and read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocols.errors import Hl7Error
from protocols.hl7 import envelope, strict
from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail, read_ack
from protocols.hl7.charset import encoding_of
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Field, Message, Segment, encode_field, segment
from protocols.hl7.fields import coded, numbered, row
from protocols.hl7.ltw_values import ANSWERS, OrderAnswer, Orders
from protocols.hl7.report import Header
from protocols.hl7.separators import STANDARD, Separators

_REPLIES = {
    "OML^O21": ("ORL", "O22", "ORL_O22"),
    "OML^O33": ("ORL", "O34", "ORL_O34"),
    "OML^O35": ("ORL", "O36", "ORL_O36"),
    "ORM^O01": ("ORR", "O02", "ORR_O02"),
}


def write_order_reply(
    orders: Orders,
    answers: Sequence[OrderAnswer],
    *,
    control_id: str,
    when: str,
    code: str = "AA",
    errors: tuple[ErrorDetail, ...] = (),
    accept: str = "",
) -> bytes:
    """The reply to an order message, in its own separators and character set: PID, SPM and SAC as they were sent.

    A single order is refused by its own control code under AA; AE and AR refuse the message and carry no orders.
    What the character set lacks becomes a question mark: a reply must go out.
    Raises: Hl7Error for an answer that does not fit what was asked, and for answers beside AE or AR.
    """
    if answers and code != "AA":
        raise Hl7Error(f"{code} refuses the whole message: leave the answers out")
    separators = orders.msh.separators if orders.msh else STANDARD
    declared = orders.msh.field(18) if orders.msh else ""
    encoding = encoding_of(orders.msh.component(18)) if orders.msh and declared else None
    header = envelope.answering(orders.header, control_id, when)
    kind = _REPLIES[orders.kind]
    charset = orders.msh.component(18) if orders.msh and encoding else envelope.UTF8
    rows: list[list[Field]] = [
        envelope.msh(header, kind, charset=charset, accept=accept, application="NE" if accept else "")
    ]
    rows += envelope.msa(Acknowledgment(code, orders.header.control_id, errors=errors))
    for item in rows:
        strict.check_texts(item)
    lines = [segment(item, separators).line for item in rows]
    if answers:
        if orders.patient:
            lines.append(orders.patient.pid.line)
        lines += _orders(orders.kind, answers, separators)
    text = "".join(line + "\r" for line in lines)
    return text.encode(encoding or "utf-8", "replace")


def _orders(kind: str, answers: Sequence[OrderAnswer], separators: Separators) -> Iterator[str]:
    under: tuple[str, ...] | None = None
    for answer in answers:
        allowed = ANSWERS[answer.order.action]
        if answer.control not in allowed:
            raise Hl7Error(
                f"ORC-1 {answer.control!r} does not answer {answer.order.action.value}: {', '.join(allowed)}"
            )
        if kind in ("OML^O33", "OML^O35"):
            tube = tuple(
                item.line for specimen in answer.order.specimens for item in (specimen.spm, *specimen.sacs) if item
            )
            if tube != under:
                # In O35 a second container stands under the same SPM: only its SAC is new.
                yield from tube[1:] if under and tube[:1] == under[:1] and kind == "OML^O35" else tube
            under = tube
        yield _orc(answer, separators)
        if kind in ("OML^O21", "ORM^O01") and answer.order.obr:
            yield _numbered(answer.order.obr, answer.filler)


def _orc(answer: OrderAnswer, separators: Separators) -> str:
    """The ORC as it was sent, with our answer, number and state in it."""
    order = answer.order
    strict.check_texts(["ORC", answer.control, answer.status, coded(answer.reason), numbered(answer.filler)])
    cells = (
        order.orc.fields.copy() if order.orc else segment(row("ORC", {2: numbered(order.placer)}), separators).fields
    )
    cells += [""] * (17 - len(cells))
    cells[1], cells[5] = answer.control, answer.status
    cells[16] = encode_field(coded(answer.reason), separators)
    if answer.placer:
        cells[2] = encode_field(answer.placer.components(), separators)
    if answer.filler:
        cells[3] = encode_field(answer.filler.components(), separators)
    return separators.field.join(cells).rstrip(separators.field)


def _numbered(obr: Segment, filler: EntityId | None) -> str:
    """The OBR as it was sent, with our number in OBR-3."""
    cells = obr.fields.copy()
    if filler:
        cells += [""] * (4 - len(cells))
        cells[3] = encode_field(filler.components(), obr.separators)
    return obr.separators.field.join(cells)


@dataclass(frozen=True, slots=True)
class OrderReply:
    """What a reply says of one order."""

    control: str
    placer: EntityId | None
    filler: EntityId | None
    status: str = ""
    reason: Code | None = None


def read_order_reply(message: Message) -> tuple[Header, Acknowledgment, tuple[OrderReply, ...]]:
    """What a reply to orders says, of the message and of each order, as the side that ordered.

    Raises: Hl7Error when the message is no reply to orders, or has no MSA.
    """
    if (message.code, message.trigger) not in {kind[:2] for kind in _REPLIES.values()}:
        raise Hl7Error(f"{message.header.field(9)!r} does not answer an order: read it with the reader of its own type")
    replies = tuple(
        OrderReply(orc.component(1), EntityId.read(orc, 2), EntityId.read(orc, 3), orc.component(5), Code.read(orc, 16))
        for orc in message.all("ORC")
    )
    return envelope.read_header(message.header), read_ack(message), replies
