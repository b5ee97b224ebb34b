"""How is one row of the audit written as an audit message of DICOM, which IHE ATNA sends (ITI-20)?

Source: DICOM PS3.15 annex A.5 (schema and codes); IHE ITI TF-2 3.20; RFC 3881 for the codes of participants.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

MESSAGE_ID: Final = "DICOM+RFC3881"
_UNFIT = re.compile(r"[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


@dataclass(frozen=True, slots=True)
class Event:
    """What kind of event a word of the audit is: the code of DICOM's EventID, the action (C, R, U, D, E), and whether it failed."""

    code: str
    name: str
    action: str
    outcome: str = "0"  # 0 success, 4 minor failure, 8 serious failure


_ACTIVITY = Event("110100", "Application Activity", "E")
_RECORD = Event("110110", "Patient Record", "U")
_EXPORT = Event("110106", "Export", "R")
EVENTS: Final = {
    "verified": _RECORD,
    "assigned": _RECORD,
    "replayed": _RECORD,
    "discarded": _RECORD,
    "withdrawn": _RECORD,
    "patient-merged": _RECORD,
    "ins-removed": Event("110110", "Patient Record", "D"),
    "destroyed": Event("110110", "Patient Record", "D"),
    "destruction-began": Event("110110", "Patient Record", "D"),
    "delivered": _EXPORT,
    "redelivered": _EXPORT,
    "routed": _EXPORT,
    "retried": _EXPORT,
    "held-back": _EXPORT,
    "closed": _EXPORT,
    "dead-letter": Event("110106", "Export", "R", "8"),
    "lookback-opened": Event("110112", "Query", "E"),
}
"""Words of the audit that DICOM has a code for; every other is an activity of the application, with the word as its type."""


def event_of(what: str) -> Event:
    """The event of a word of the audit."""
    return EVENTS.get(what, _ACTIVITY)


def message(
    *, at: str, site: str, host: str, who: str, what: str, subject: str, why: str, detail: str, number: int, digest: str
) -> str:
    """The whole message, on one line."""
    event = event_of(what)
    application = who == "labmw"
    role = ("110150", "Application") if application else ("110151", "Application Launcher")
    parts = [
        f'<EventIdentification EventActionCode="{event.action}" EventDateTime={_quoted(at)} EventOutcomeIndicator="{event.outcome}">',
        _code("EventID", event.code, "DCM", event.name),
        _code("EventTypeCode", what, "99LABMW", what),
        "</EventIdentification>",
        f'<ActiveParticipant UserID={_quoted(who)} UserIsRequestor="true" NetworkAccessPointID={_quoted(host)} NetworkAccessPointTypeCode="1">',
        _code("RoleIDCode", role[0], "DCM", role[1]),
        "</ActiveParticipant>",
        f"<AuditSourceIdentification AuditEnterpriseSiteID={_quoted(site)} AuditSourceID={_quoted(f'labmw@{host}')}>",
        _code("AuditSourceTypeCode", "4", "DCM", "Application Server Process or Thread"),
        "</AuditSourceIdentification>",
        _about(subject, {"why": why, "detail": "" if detail == "{}" else detail, "sequence": str(number), "digest": digest}),
    ]  # fmt: skip
    return '<?xml version="1.0" encoding="UTF-8"?><AuditMessage>' + "".join(parts) + "</AuditMessage>"


def _about(subject: str, details: dict[str, str]) -> str:
    """The object: a patient by his or her number (RFC 3881: person, patient, patient number), else a thing of ours by its place in the store."""
    kind, _slash, name = subject.partition("/")
    if kind == "patient":
        attributes = (
            f'ParticipantObjectID={_quoted(name)} ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1"'
        )
        id_type = _code("ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    else:
        place = f"labmw:{subject or 'site'}"
        attributes = (
            f'ParticipantObjectID={_quoted(place)} ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="3"'
        )
        id_type = _code("ParticipantObjectIDTypeCode", "12", "RFC-3881", "URI")
    told = "".join(
        f'<ParticipantObjectDetail type={_quoted(key)} value="{base64.b64encode(_fit(value).encode()).decode()}"/>'
        for key, value in details.items()
        if value
    )
    title = f"<ParticipantObjectName>{kind or 'site'}</ParticipantObjectName>" if kind.isalnum() or not kind else ""
    return f"<ParticipantObjectIdentification {attributes}>{id_type}{title}{told}</ParticipantObjectIdentification>"


def _code(element: str, code: str, system: str, text: str) -> str:
    return f"<{element} csd-code={_quoted(code)} codeSystemName={_quoted(system)} originalText={_quoted(text)}/>"


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)


def _quoted(text: str) -> str:
    return quoteattr(_fit(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
