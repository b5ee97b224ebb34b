"""LAB-27: which work does an analyzer ask for, and what is it told at once? QBP^Q11 and RSP^K11, both ways.

The answer only says that the query was understood, also when there is no work: the work, or its absence, follows in LAB-28
(LAB27-003, LAB27-004).
"""

from __future__ import annotations

from dataclasses import replace

from protocols.errors import Hl7Error
from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail, Location, read_ack
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Field, Message, Raw, Segment
from protocols.hl7.fields import coded, row
from protocols.hl7.law_values import Query, QueryAnswer
from protocols.hl7.profile import GENERIC, LawProfile, QueryBy
from protocols.hl7.report import Header
from protocols.hl7.separators import STANDARD

_STATUS = {"AA": "OK", "AE": "AE", "AR": "AR"}
_NEEDED = {
    QueryBy.CONTAINER: ("container", 3),
    QueryBy.RACK: ("carrier", 4),
    QueryBy.TRAY: ("tray", 6),
}


def read_query(message: Message, profile: LawProfile = GENERIC) -> Query:
    """What an analyzer asks for. A query that cannot be served has its ``problem`` filled, to be answered with AE.

    Raises: Hl7Error when the message is no QBP^Q11.
    """
    envelope.expect(message, "QBP", "Q11")
    qpd = message.first("QPD")
    header = envelope.read_header(message.header)
    if qpd is None:
        missing = ErrorDetail("100", "QPD is missing", Location("QPD"))
        return Query(header, Code(""), None, problem=missing)
    name = Code.read(qpd, 1) or Code("")
    tag, container, carrier, position, tray, tray_position, isolate = qpd.values(
        2, 3, 4, 5, 6, 7, profile.isolate_field
    )
    by = profile.query_by(name.code)
    query = Query(
        header=header,
        name=name,
        by=by,
        tag=tag,
        container=container,
        carrier=carrier,
        position=position,
        tray=tray,
        tray_position=tray_position,
        location=Code.read(qpd, 8),
        isolate=isolate if by is QueryBy.ISOLATE else "",
        qpd=qpd,
    )
    return _judged(query)


def _judged(query: Query) -> Query:
    problem = None
    if query.by is None:
        problem = ErrorDetail("103", "Query name not supported on this connection", Location("QPD", 1, 1))
    elif query.by in _NEEDED:
        name, field = _NEEDED[query.by]
        if not getattr(query, name):
            problem = ErrorDetail("101", f"A query by {query.by.value} needs QPD-{field}", Location("QPD", 1, field))
    elif query.by is QueryBy.ISOLATE and not (query.isolate or query.container):
        problem = ErrorDetail("101", "A query by isolate needs the isolate or its container", Location("QPD", 1, 3))
    return replace(query, problem=problem) if problem else query


def write_query(query: Query, profile: LawProfile = GENERIC) -> bytes:
    """The QBP^Q11 of a query, as the analyzer's side.

    Raises: Hl7Error when the query has no name.
    """
    if not query.name.code:
        raise Hl7Error("QPD-1 is empty: name the query")
    qpd = row(
        "QPD",
        {
            1: query.name.components(),
            2: None if profile.empty_tag else query.tag,
            3: query.container,
            4: query.carrier,
            5: query.position,
            6: query.tray,
            7: query.tray_position,
            8: coded(query.location),
        },
    )
    if query.isolate:
        qpd += [None] * (profile.isolate_field + 1 - len(qpd))
        qpd[profile.isolate_field] = query.isolate
    rows = [_msh(query.header, ("QBP", "Q11", "QBP_Q11"), profile, profile.accept, profile.application), qpd]
    if not profile.empty_tag:
        rows.append(row("RCP", {1: "I", 3: ("R", "Real Time", "HL70394")}))
    return envelope.seal(rows, ascii_text=profile.ascii_text)


def _msh(header: Header, kind: tuple[str, str, str], profile: LawProfile, accept: str, application: str) -> list[Field]:
    return envelope.msh(
        header,
        kind,
        accept=accept,
        application=application,
        version=profile.version,
        charset=profile.charset,
        profile=profile.transaction("LAB-27"),
    )


def write_query_answer(
    query: Query,
    *,
    control_id: str,
    when: str,
    code: str = "AA",
    error: ErrorDetail | None = None,
    profile: LawProfile = GENERIC,
    accept: str = "",
) -> bytes:
    """The RSP^K11 to a query, in the query's own separators; a query with a ``problem`` is answered AE with it.

    Raises: Hl7Error for a code that is not AA, AE or AR, and for an error beside AA.
    """
    problem = error or query.problem
    if problem and code == "AA":
        code = "AE"
    if code not in _STATUS:
        raise Hl7Error(f"{code!r} does not answer a query: use AA, AE or AR")
    reply = Acknowledgment(code, query.header.control_id, errors=(problem,) if problem else ())
    rows = [
        _msh(
            envelope.answering(query.header, control_id, when),
            ("RSP", "K11", "RSP_K11"),
            profile,
            accept,
            "NE" if accept else "",
        ),
        *envelope.msa(reply),
    ]
    name: Field = Raw(query.qpd.field(1)) if query.qpd else coded(query.name)
    tag: Field = Raw(query.qpd.field(2)) if query.qpd else query.tag
    rows.append(row("QAK", {1: tag, 2: _STATUS[code], 3: name}))
    if query.qpd:
        rows.append(["QPD", *(Raw(cell) for cell in query.qpd.fields[1:])])
    return envelope.seal(rows, query.qpd.separators if query.qpd else STANDARD, profile.ascii_text)


def read_query_answer(message: Message) -> QueryAnswer:
    """What the reply to our query says, as the analyzer's side.

    Raises: Hl7Error when the message is no RSP^K11, or has no MSA.
    """
    envelope.expect(message, "RSP", "K11")
    reply = read_ack(message)
    qak = message.first("QAK") or Segment("QAK")
    return QueryAnswer(
        header=envelope.read_header(message.header),
        code=reply.code,
        control_id=reply.control_id,
        tag=qak.component(1),
        status=qak.component(2),
        name=Code.read(qak, 3),
        text=reply.text,
        errors=reply.errors,
    )
