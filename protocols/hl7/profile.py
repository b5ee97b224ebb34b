"""What do analyzers do differently under IHE LAW, and what about LAW itself is not certain? Every such choice is a value here.

LAW's text (PaLM TF-2b) was not at hand in full when this was written: conformance assertions, vendors' manuals and captures
were. What rests on less than that is marked *uncertain*, so that it can be corrected in this one file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class QueryBy(Enum):
    """What an analyzer names when it asks for work (LAB-27)."""

    CONTAINER = "container"
    RACK = "rack"
    TRAY = "tray"
    ISOLATE = "isolate"
    ALL = "all"


class TimeReading(Enum):
    """What ``20260228225959+0100`` means."""

    LOCAL = "local"  # HL7 2.5.1 chapter 2.A.22: 22:59:59 where the clock is an hour ahead of UTC
    UTC = "utc"  # x800: 22:59:59 UTC, to which the offset is still to be added, so 23:59:59 on the wall


class SpecimenForm(Enum):
    """How SPM-2 is filled."""

    NAMED = "named"  # id&namespace
    PLAIN = "plain"  # id
    EMPTY = "empty"  # nothing: the id is in SAC-3


class Topology(Enum):
    """Who opens connections: one for both directions, or one for each initiator."""

    ONE = "one"
    TWO = "two"


def commit_settles(accept: str, application: str) -> bool:
    """Whether with these MSH-15 and MSH-16 a commit acknowledgment is the only word on a success."""
    return accept in ("AL", "SU") and application in ("NE", "ER")


@dataclass(frozen=True, slots=True)
class QueryName:
    """A name in QPD-1 and what is asked with it."""

    code: str
    text: str
    system: str
    by: QueryBy

    def components(self) -> tuple[str, str, str]:
        """CE-1 to CE-3."""
        return self.code, self.text, self.system


_IHE_QUERIES = (
    QueryName("WOS", "Work Order Step", "IHELAW", QueryBy.CONTAINER),
    QueryName("WOS_ALL", "Work Order Step All", "IHELAW", QueryBy.ALL),
    QueryName("WOS_BY_RACK", "Work Order Step By Rack", "IHELAW", QueryBy.RACK),  # uncertain: the name
    QueryName("WOS_BY_TRAY", "Work Order Step By Tray", "IHELAW", QueryBy.TRAY),  # uncertain: the name
    QueryName("WOS_BY_ISOLATE", "Work Order Step By Isolate", "IHELAW", QueryBy.ISOLATE),  # uncertain: name and fields
)


@dataclass(frozen=True, slots=True)
class LawProfile:
    """How one family of analyzers speaks LAW. The defaults are LAW as far as it is known; seconds are counted from sending."""

    name: str
    connections: Topology = Topology.ONE
    in_flight: int = 1  # messages that may wait for their reply at once, each way
    reply_seconds: int = 60  # uncertain: no value in LAW was found; x800 30 to 90
    resends: int = 2  # x800; with the same MSH-10
    # --- MSH ---
    version: str = "2.5.1"
    accept: str = "NE"  # MSH-15 of messages that begin an exchange; replies leave it empty
    application: str = "AL"  # MSH-16, likewise
    commit_seconds: int = 0  # with a commit acknowledgment: until the application reply; 0 = reply_seconds once more
    two_replies: bool = True  # False: who asks for both acknowledgments copes with the application reply alone
    reply_accept: str = "NE"  # MSH-15 of an application reply that follows a commit acknowledgment
    charset: str = "UNICODE UTF-8"
    ascii_text: bool = False  # letters with accents are sent without them
    transactions: tuple[tuple[str, tuple[str, str]], ...] = (
        ("LAB-27", ("LAB-27", "IHE")),
        ("LAB-28", ("LAB-28", "IHE")),
        ("LAB-29", ("LAB-29", "IHE")),
    )  # MSH-21 by transaction; none: MSH-21 stays empty
    unique_control_ids: bool = False  # a second message with the same MSH-10 and other bytes is refused (AE 205)
    # --- LAB-27 ---
    queries: tuple[QueryName, ...] = _IHE_QUERIES
    empty_tag: bool = False  # QPD-2 and RCP are left out
    isolate_field: int = 9  # uncertain: QPD field of the isolate within its parent specimen
    # --- LAB-28 ---
    reply_structure: str = "ORL_O42"  # MSH-9.3 of the reply; ORL_O34 is accepted from everybody
    reply_names_steps: bool = True  # ORC-2 of the reply; cobas pro leaves it empty: matched by order of appearance
    minimal_reply: bool = False  # AA alone accepts every step; otherwise a step without ORC is not settled
    specimen_form: SpecimenForm = SpecimenForm.NAMED
    namespace: str = ""  # of SPM-2, where the caller names none
    note_source: str = "A"  # NTE-2 of our notes
    container_in_sac: bool = True  # SAC-3 is filled
    set_ids: bool = True  # SPM-1 is filled
    volume_field: bool = False  # TCD-9 is understood
    dilution_ordered: bool = False  # TCD-2 of an order says how far the specimen is to be diluted; a family of which no document shows it is not told
    rerun_as_new_step: bool = True  # uncertain: a repeat that the laboratory asks for is a new AWOS with a new id
    rebroadcast_with_new_ids: bool = False  # an analyzer that lost its worklist gets its work again under new ids
    control_role: str = "Q"  # SPM-11 of a control specimen
    control_in_order: bool = (
        True  # uncertain: an order of a control names it, its lot and expiry in INV; SPM-2 and SAC-3 name it always
    )
    unknown_role: str = "U"  # SPM-11 of a negative query response
    pool_roles: tuple[str, ...] = ("L", "G")  # uncertain
    # --- LAB-29 ---
    statuses: tuple[str, ...] = ("SC", "IP", "CM", "CA")  # ORC-5; uncertain except CM
    supplemental: tuple[str, ...] = ("S_OTHER", "S_RAW")  # OBX-3.4 with IHELAW; uncertain except S_OTHER
    role_tells_control: bool = True  # False: SPM-11 Q is sent for patients too, only a registered material is a control
    times_received: TimeReading = TimeReading.LOCAL
    expiry_received: TimeReading = TimeReading.LOCAL  # INV-12
    times_sent: TimeReading = TimeReading.LOCAL
    # --- beside LAW ---
    other_messages: tuple[str, ...] = ()  # message types of its own, to be acknowledged and kept: "NMD^N02"

    @property
    def commit_settles(self) -> bool:
        """Whether a commit acknowledgment is all that is to be waited for: no application reply follows a success (table 0155)."""
        return commit_settles(self.accept, self.application)

    def query_by(self, code: str) -> QueryBy | None:
        """What a name in QPD-1.1 asks for; None when this family has no such query."""
        return next((name.by for name in self.queries if name.code == code), None)

    def query_name(self, by: QueryBy) -> QueryName | None:
        """The first name for what is to be asked; None when this family cannot ask so."""
        return next((name for name in self.queries if name.by is by), None)

    def transaction(self, number: str) -> tuple[str, str] | None:
        """MSH-21 for LAB-27, LAB-28 or LAB-29."""
        return dict(self.transactions).get(number)


GENERIC = LawProfile(
    "generic", dilution_ordered=True
)  # uncertain: TCD-2 is HL7 2.5.1 chapter 13; LAW itself was not at hand

_ROCHE_QUERIES = (
    QueryName("WOS_ROCHE", "Work Order Step Roche Extension", "ROCHE", QueryBy.CONTAINER),  # QPD-3, 4 and 5 together
    QueryName("WOS_ADDITIONAL", "Work Order Step Roche Extension", "ROCHE", QueryBy.CONTAINER),  # after a reflex
)

ROCHE_X800 = LawProfile(
    "roche-x800",  # x800 Data Manager, Host Interface Manual 5.3
    in_flight=5,
    ascii_text=True,
    transactions=(("LAB-27", ("LAB-27R", "ROCHE")), ("LAB-28", ("LAB-28", "IHE")), ("LAB-29", ("LAB-29", "IHE"))),
    queries=_ROCHE_QUERIES + _IHE_QUERIES,
    namespace="ROCHE",
    volume_field=True,
    times_received=TimeReading.UTC,  # uncertain outside INV-12: so the manual, not the trace
    expiry_received=TimeReading.UTC,
)

COBAS_PRO = LawProfile(
    "cobas-pro",  # captures of cobas pro and pure
    transactions=(("LAB-27", ("LAB-27R", "ROCHE")), ("LAB-28", ("LAB-28R", "ROCHE")), ("LAB-29", ("LAB-29", "IHE"))),
    queries=(
        QueryName("INIBAR", "", "99ROC", QueryBy.CONTAINER),
        QueryName("INISEQ", "", "99ROC", QueryBy.RACK),  # uncertain: QPD-3 is then a sequence number and no barcode
        *_ROCHE_QUERIES,
        *_IHE_QUERIES,
    ),
    reply_names_steps=False,
    namespace="BARCODE",
    other_messages=("ESU^U01", "INU^U05", "INR^U14", "EAC^U07", "OUL^R23", "ESR^U02"),
)

COBAS_4800 = replace(
    GENERIC,
    name="cobas-4800",
    dilution_ordered=False,  # capture: a whole run in one message; patients with SPM-11 Q
    accept="ER",
    role_tells_control=False,
)

COBAS_6800 = LawProfile(
    "cobas-6800",  # capture of the direct connection
    version="2.5",
    charset="ASCII",
    ascii_text=True,
    transactions=(),
    queries=(QueryName("WOS", "Work Order Step", "IHE_LABTF", QueryBy.CONTAINER), *_IHE_QUERIES[1:]),
    empty_tag=True,
    specimen_form=SpecimenForm.PLAIN,
    container_in_sac=False,
    set_ids=False,
)

ALINITY = LawProfile(
    "alinity",  # Abbott Alinity ci, manual 80000455
    connections=Topology.TWO,
    specimen_form=SpecimenForm.EMPTY,
    other_messages=("NMD^N02", "TCU^U10"),  # heartbeat, test menu
)

ATELLICA = LawProfile("atellica", connections=Topology.TWO)

BA400 = LawProfile(
    "ba400",  # BioSystems BA400 and BA200
    accept="ER",
    application="NE",
    reply_seconds=120,
    reply_structure="ORL_O34",
    minimal_reply=True,
)

PERSONALITIES = {
    profile.name: profile
    for profile in (GENERIC, ROCHE_X800, COBAS_PRO, COBAS_4800, COBAS_6800, ALINITY, ATELLICA, BA400)
}
"""The profiles that come with labmw, by name."""


@dataclass(frozen=True, slots=True)
class LtwProfile:
    """How one laboratory information system speaks LTW, or what it speaks in its place."""

    name: str = "generic"
    results_as: str = "ORU_R01"  # or OUL_R22; uncertain: the messages of LAB-5
    withdrawn: str = "X"  # OBX-11 of a withdrawn result; D where the system deletes
    add_on: tuple[str, ...] = ("A",)  # OBR-11 of a test added to a specimen that is already here
    cancels: tuple[str, ...] = ("CA", "DC", "OC")  # ORC-1; some systems discontinue where others cancel
    legacy_specimen: tuple[str, int] | None = (
        None  # field with the tube's number in an ORM^O01 without SPM: ("OBR", 20)
    )
    reply_with_content: bool = True  # False: a plain ACK is what the system expects
    accept: str = ""  # MSH-15 of the results that we send; empty with MSH-16: one application reply (original mode)
    application: str = ""  # MSH-16, likewise
    two_replies: bool = True  # False: who asks for both acknowledgments copes with the application reply alone
    reply_accept: str = "NE"  # MSH-15 of an application reply that follows a commit acknowledgment


LTW_GENERIC = LtwProfile()
