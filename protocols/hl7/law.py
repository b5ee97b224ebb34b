"""IHE LAW, the Laboratory Analytical Workflow, in one place: what each side reads and writes.

========================  ==========================================  ==========================================
transaction               analyzer manager                            analyzer
========================  ==========================================  ==========================================
LAB-27 query              ``read_query``, ``write_query_answer``      ``write_query``, ``read_query_answer``
LAB-28 work               ``write_work``, ``write_no_work``,          ``read_work``, ``write_work_reply``
                          ``read_work_reply``, ``outcomes``
LAB-29 status, results    ``read_status``, ``acknowledgment.ack``     ``write_status``, ``acknowledgment.read_ack``
========================  ==========================================  ==========================================

Every reader and writer takes a ``LawProfile``: what vendors do differently, and what is uncertain about LAW.
"""

from __future__ import annotations

from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail, Location, ack, read_ack
from protocols.hl7.datatypes import Code, EntityId, Identifier, Person, PersonName
from protocols.hl7.envelope import answering, read_header
from protocols.hl7.law_query import read_query, read_query_answer, write_query, write_query_answer
from protocols.hl7.law_reply import Outcome, outcomes, read_work_reply, write_work_reply
from protocols.hl7.law_status import read_status, write_status
from protocols.hl7.law_values import (
    Material,
    NoWork,
    Observation,
    Query,
    QueryAnswer,
    Specimen,
    SpecimenReply,
    SpecimenStatus,
    SpecimenWork,
    StatusChange,
    Step,
    StepReply,
    StepStatus,
    Treatment,
    Volume,
    Work,
    WorkReply,
)
from protocols.hl7.law_work import read_work, write_no_work, write_work
from protocols.hl7.profile import GENERIC, PERSONALITIES, LawProfile, QueryBy, QueryName
from protocols.hl7.report import Comment, Header, ReportPatient

__all__ = [
    "GENERIC",
    "PERSONALITIES",
    "Acknowledgment",
    "Code",
    "Comment",
    "EntityId",
    "ErrorDetail",
    "Header",
    "Identifier",
    "LawProfile",
    "Location",
    "Material",
    "NoWork",
    "Observation",
    "Outcome",
    "Person",
    "PersonName",
    "Query",
    "QueryAnswer",
    "QueryBy",
    "QueryName",
    "ReportPatient",
    "Specimen",
    "SpecimenReply",
    "SpecimenStatus",
    "SpecimenWork",
    "StatusChange",
    "Step",
    "StepReply",
    "StepStatus",
    "Treatment",
    "Volume",
    "Work",
    "WorkReply",
    "ack",
    "answering",
    "outcomes",
    "read_ack",
    "read_header",
    "read_query",
    "read_query_answer",
    "read_status",
    "read_work",
    "read_work_reply",
    "write_no_work",
    "write_query",
    "write_query_answer",
    "write_status",
    "write_work",
    "write_work_reply",
]
