"""Which tables are there? One schema for every database; the migrations make the same tables (a test compares them).

Conventions: the site is in every natural key (law 6). Times are `clock.stamp()` texts, decimals are texts, JSON is text, yes/no is 1/0,
so that no database converts anything. "" is "not given"; NULL is "not yet" or "does not apply".

States of a result, and why the final ones are final (law 5: *lost* = acknowledged and in no final state):

    verify       waits for verification: a `work` row exists in the same transaction. Not final.
    released     verified, an `outbox` row exists in the same transaction. Not final: the LIS has not answered.
    held         FINAL: a person decides; status and console show it until then.
    blocked      FINAL: the rules forbid release; a person decides.
    quarantined  FINAL: not understood or not matched; an open `quarantine` row shows it to a person.
    control      FINAL: a registered control material; it belongs to quality control, never to a patient.
    detail       FINAL: a Ct, log value or index beside a main result; kept and shown, never reported on its own.
    delivered    FINAL: the LIS has acknowledged it.
    dead         FINAL: delivery was given up and a person was told; the outbox row keeps the reason.
    withdrawn    FINAL: it was delivered, and a person has taken it back; a `withdrawal` row names the message that says so.
    technical    FINAL: a person has validated it technically; it waits for a biologist, who decides.
    rejected     FINAL: a person has refused it, or a later run stands in its place; kept and shown, never sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION: Final = "0017"  # the newest file in migrations/versions; a test keeps them together

FINAL_STATES: Final = (
    *("held", "blocked", "quarantined", "control", "detail", "delivered", "dead", "withdrawn"),
    *("technical", "rejected"),
)
RESULT_STATES: Final = ("verify", "released", *FINAL_STATES)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only where the type is exactly INTEGER; PostgreSQL needs the 64 bits spelled out.
_BIG = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[int]:
    return Column("id", _BIG, primary_key=True)


def _refers(name: str, column: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, _BIG, ForeignKey(column), nullable=nullable)


def _must(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _may(*names: str) -> list[Column[str]]:
    """Texts that are "" when not given."""
    return [Column(name, Text, nullable=False, server_default="") for name in names]


def _later(*names: str) -> list[Column[str]]:
    """Texts that are NULL until something has happened."""
    return [Column(name, Text, nullable=True) for name in names]


def _json(*names: str, empty: str = "{}") -> list[Column[str]]:
    return [Column(name, Text, nullable=False, server_default=text(f"'{empty}'")) for name in names]


def _number(name: str, default: int | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=None if default is None else text(str(default)))


def _bytes(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _under(*opens: str, name: str = "data_key") -> Column[int]:
    """The number of the key (`data_key`) under which these columns of a row are encrypted; NULL: they are not."""
    return Column(name, _BIG, nullable=True, info={"opens": opens})


def _where(condition: str) -> dict[str, Any]:
    """A partial index: small however long the history grows. SQLite uses it only for a statement that says the same words
    (sqlite.org/partialindex.html §3): see `labmw.store.statements.words`."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


# --- keys of bytes at rest ------------------------------------------------------------------------------------------------

# Both tables are of the store as a whole, whichever site's bytes: their `site` is "".

# The store keys that this store has known, by name; the keys themselves are in a file elsewhere (store.key_file). States: current (new keys are wrapped
# under it), retired (being replaced), destroyed (replaced), lost (given up by a person). `given` is the highest number of a key so far: none is given twice. Messages up to `open_until` were there
# before the first key and lie open; 0 when `labmw store encrypt` has been through.
store_key = Table(
    "store_key", metadata,
    _id(), *_must("site", "name", "state", "made_at"), *_later("ended_at"), Column("given", _BIG, nullable=False),
    Column("open_until", _BIG, nullable=False),
    UniqueConstraint("site", "name"),
)  # fmt: skip

# The key of one message, or of one session of a line (frames are kept before anybody knows which message they become), wrapped under a store key. A key
# that is destroyed is not here any more: whatever copy there is of what it encrypted, nobody reads it.
data_key = Table(
    "data_key", metadata,
    _id(), *_must("site", "store_key"), _bytes("wrapped"),
)  # fmt: skip

# --- the wire -------------------------------------------------------------------------------------------------------------

# One ENQ..EOT, or one connection for HL7. Closed only in, or after, the transaction that takes its last frames:
# an open session is what recovery looks at after a restart.
session = Table(
    "session", metadata,
    *_must("id", "site", "link"), *_may("peer"), *_must("opened_at"), *_later("closed_at", "closing"),
    PrimaryKeyConstraint("site", "id"),
    Index("ix_session_open", "site", "opened_at", **_where("closed_at IS NULL")),
)  # fmt: skip

# Every byte in both directions. `session` is "" outside a session, hence no foreign key.
journal = Table(
    "journal", metadata,
    _id(), *_must("site", "link"), *_may("session"), *_must("at", "direction"), _bytes("data"), _under("data"),
    Index(None, "site", "session"),
)  # fmt: skip

# Each accepted frame, committed before its ACK. `seq` counts from 0 or 1 within the session; `number` is the digit on the wire.
frame = Table(
    "frame", metadata,
    _id(), *_must("site", "link", "session"), _number("seq"), _number("number"), _number("last", 0), _bytes("text"), *_must("at"),
    _under("text"),
    UniqueConstraint("site", "session", "seq"),
    ForeignKeyConstraint(["site", "session"], ["session.site", "session.id"]),
)  # fmt: skip

# One message, whole. `first_frame` and `last_frame` are `frame.seq` in `session`; NULL where the protocol has no frames. Several messages may
# end in one frame: `place` counts them from 0. In `facts`, `clock_offset` is how many seconds the sender's clock was ahead of ours.
message = Table(
    "message", metadata,
    _id(), *_must("site", "link"), *_may("session"),
    Column("first_frame", Integer), Column("last_frame", Integer), _number("place", 0),
    *_must("direction", "protocol"), *_may("peer"), *_must("received_at"), _bytes("raw"),
    *_must("digest"), *_may("control_id", "sender", "driver", "driver_version", "mapping_version", "software_version", "kind"),
    _number("terminated", 1), *_may("disposition", "reason"), *_json("facts"), *_json("tolerances", empty="[]"), _bytes("reply", nullable=True),
    _under("raw"), _under("reply", name="reply_key"),
    Index(None, "site", "session", "last_frame"),
    Index("ix_message_control_id", "site", "link", "control_id", **_where("control_id <> ''")),
)  # fmt: skip

# Who has spoken on a line: each serial number with each software version once. The first is taken as it is; a later one waits ("waiting", and nothing of its
# line is released by itself) until a named person accepts it ("accepted").
analyzer = Table(
    "analyzer", metadata,
    _id(), *_must("site", "link", "serial", "software", "first_seen", "state"), Column("message", _BIG), *_later("decided_at"), *_may("decided_by", "why"),
    UniqueConstraint("site", "link", "serial", "software"),
    Index("ix_analyzer_waiting", "site", "link", **_where("state = 'waiting'")),
)  # fmt: skip

# --- who and what ---------------------------------------------------------------------------------------------------------

patient = Table(
    "patient", metadata,
    _id(), *_must("site", "identifier"), *_may("family", "given", "birth", "sex", "pid", "updated_at"),
    UniqueConstraint("site", "identifier"),
)  # fmt: skip

# A tube: barcodes recycle and several tubes share one, so kind and window are in the key. `valid_from` "" = since ever, `valid_to` NULL = open.
specimen = Table(
    "specimen", metadata,
    _id(), *_must("site", "identifier"), *_may("kind", "valid_from"), *_later("valid_to"), *_may("patient"), *_later("collected"), *_may("ward"),
    UniqueConstraint("site", "identifier", "kind", "valid_from"),
    Index(None, "site", "patient"),
)  # fmt: skip

# One test asked for on one tube. States: open, elsewhere (a sub-order asks another laboratory for it), cancelled (by whoever ordered it), done (a result
# of it was taken in). `message` is the row of the
# message that ordered or last changed it, `updated_at` when: how fresh the order feed is, and what a line that is told of new work looks for.
order = Table(
    "order", metadata,
    _id(), *_must("site", "specimen", "loinc"), *_may("placer", "filler"), Column("priority", Text, nullable=False, server_default="R"),
    *_later("ordered_at"), Column("state", Text, nullable=False, server_default="open"),
    *_may("test_name"), Column("message", _BIG), *_later("updated_at"),
    UniqueConstraint("site", "specimen", "loinc", "placer"),
    Index(None, "site", "updated_at"),
    Index("ix_order_placer", "site", "placer", **_where("placer <> ''")),
    Index(None, "message"),
)  # fmt: skip

# One order (or a test the analyzer added by itself: `order` NULL) on one analyzer: IHE LAW's analytical work order step. `awos` is its identity on the
# wire, never used again. What is still to be said to the analyzer is in `wanted` (NW new work, CA cancel); `control_id` names the message that said it
# last, and `waits` is 1 as long as that one has no reply, 2 once it has a commit acknowledgment and no other. States (labmw.lab.awos):
# planned, broadcast, accepted, refused, in-process, resulted, cancelled, unable (to cancel), not-performed.
awos = Table(
    "awos", metadata,
    _id(), *_must("site", "awos", "link"), *_may("specimen", "patient", "loinc", "code", "test_name"), _refers("order", "order.id", nullable=True),
    Column("priority", Text, nullable=False, server_default="R"), *_must("state"), *_may("wanted", "control_id"), _number("waits", 0), _number("sends", 0),
    *_may("reason", "parent", "dilution"), *_must("created_at"), *_later("queried_at", "broadcast_at", "answered_at", "resulted_at", "closed_at"), *_must("updated_at"),
    UniqueConstraint("site", "awos"),
    Index(None, "site", "specimen"),
    Index(None, "order"),
    Index("ix_awos_control_id", "site", "control_id", **_where("control_id <> ''")),
    Index("ix_awos_wanted", "site", "link", "id", **_where("wanted <> ''")),
    Index("ix_awos_waits", "site", "link", "id", **_where("waits = 1")),
    Index("ix_awos_committed", "site", "link", "id", **_where("waits = 2")),
)  # fmt: skip

# Which results an AWOS has brought, with OBX-11 as sent.
awos_result = Table(
    "awos_result", metadata,
    _id(), *_must("site"), _refers("awos", "awos.id"), _refers("result", "result.id"), _refers("message", "message.id"), *_may("status"),
    UniqueConstraint("site", "awos", "result"),
    Index(None, "result"),
)  # fmt: skip

# With what a result was measured, as the analyzer says: the `device` (OBX-18), and by table 0384 reagents (SR, MR), calibrators (RC), consumables, with lot
# expiry and first use (`opened`) as sent (INV). By `lot` a recalled reagent leads to its results.
contribution = Table(
    "contribution", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("kind"), *_may("name", "lot", "expiry", "status", "opened"),
    UniqueConstraint("site", "result", "kind", "name", "lot"),
    Index(None, "result"),
    Index("ix_contribution_site_lot", "site", "lot", **_where("lot <> ''")),
)  # fmt: skip

# Where a tube was last seen: on a rack or a tray (`kind`), as analyzers have told. How a query by rack or tray is answered.
tube_place = Table(
    "tube_place", metadata,
    _id(), *_must("site", "kind", "carrier"), *_may("position"), *_must("specimen", "link", "seen_at"),
    UniqueConstraint("site", "kind", "carrier", "position"),
)  # fmt: skip

# An application reply (`message.reply`) that follows a commit acknowledgment as a message of its own, under the MSH-10 `control_id`: owed from the
# transaction that makes the CA true until it has left, or until the other side has accept-acknowledged it where it was asked to (`confirm`).
# States: owed, sent (and not confirmed yet), unconfirmed (sent as often as the profile says), taken, refused; the last two are closed.
owed_reply = Table(
    "owed_reply", metadata,
    _id(), *_must("site", "link"), _refers("message", "message.id"), *_must("control_id", "state"), _number("confirm", 0), _number("sends", 0),
    *_must("created_at"), *_later("closed_at"),
    UniqueConstraint("site", "message"),
    Index("ix_owed_reply_open", "site", "link", "id", **_where("closed_at IS NULL")),
    Index(None, "site", "control_id"),
)  # fmt: skip

# An analyzer's query (LIS02-A2 Q record) that is to be answered by a message of ours, and what came of it. `tubes`: those that it names, a few in words;
# `control_id` names our answer. States: open, answering (our answer is on its way, or was when labmw stopped), answered (every frame of it was
# acknowledged), late, failed, taken-back, interrupted, unserved (nothing was to be said). `said`: work, no-work, unable, nothing.
host_query = Table(
    "host_query", metadata,
    _id(), *_must("site", "link"), _refers("message", "message.id"), *_must("state"), *_may("tubes", "said", "reason", "control_id"),
    *_must("asked_at"), *_later("answered_at", "closed_at"),
    UniqueConstraint("site", "message"),
    Index("ix_host_query_open", "site", "link", "id", **_where("closed_at IS NULL")),
    Index("ix_host_query_control_id", "site", "control_id", **_where("control_id <> ''")),
)  # fmt: skip

# Tubes that an analyzer asked about when nobody could say whether there is work: to be presented again once orders are known.
re_present = Table(
    "re_present", metadata,
    _id(), *_must("site", "link", "specimen"), *_may("reason"), *_must("asked_at"), _number("times", 1), *_later("closed_at"),
    UniqueConstraint("site", "link", "specimen"),
    Index("ix_re_present_open", "site", "asked_at", **_where("closed_at IS NULL")),
)  # fmt: skip

# --- results --------------------------------------------------------------------------------------------------------------

# One value of one test; every run is kept. `key` is `ResultKey.text()`, `identity` the same without the run: with its run it says as much as the key, and
# its index answers "which runs are there?" too. `record` and `ordinal` say where in the message it stands. Ten rows a message: an index costs.
result = Table(
    "result", metadata,
    _id(), *_must("site", "key", "identity"), _refers("message", "message.id"), _number("record", 0), _number("ordinal", 0),
    *_must("link"), *_may("analyzer", "serial", "specimen", "patient", "code", "detail", "run", "loinc", "test_name", "value"),
    *_later("number"), *_may("comparator", "unit", "unit_raw", "range_raw", "flags_raw"), *_json("flags", empty="[]"), *_may("status", "operator", "completed_raw"),
    *_later("completed_at"), *_must("received_at"), _number("main", 1), *_may("serum_index"), *_json("comments", empty="[]"),
    *_may("driver", "driver_version", "mapping_version", "analyzer_software", "software_version"), *_must("state"),
    UniqueConstraint("site", "identity", "run"),
    Index(None, "message"),
    Index(None, "site", "specimen", "code"),
    Index("ix_result_history", "site", "patient", "loinc", "completed_at", **_where("state IN ('released', 'delivered')")),
    Index(None, "site", "state"),
)  # fmt: skip

# A retransmission that was recognised: the same result, seen again.
repeat = Table(
    "repeat", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), _refers("message", "message.id"), _number("record", 0), *_must("seen_at"),
    Index(None, "result"),
    Index(None, "message"),
)  # fmt: skip

# What speaks against a result's time, seen when it came in: it is held, whatever the rules say.
doubt = Table(
    "doubt", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("code"), *_json("facts"),
    UniqueConstraint("site", "result", "code"),
    Index(None, "result"),
)  # fmt: skip

# The row that starts the next step of a result's life; deleted in the transaction that finishes it. Kinds: verify; again (a fact came late, `why` says
# which, or what was waited for is overdue).
work = Table(
    "work", metadata,
    _id(), *_must("site"), Column("kind", Text, nullable=False, server_default="verify"), _refers("message", "message.id"),
    *_must("due_at"), *_later("claimed_by", "claimed_until"), _number("attempts", 0), *_must("created_at"), *_may("why"),
    Index(None, "site", "kind", "due_at"),
)  # fmt: skip

# What was decided of a result, by the rules or by a person; the newest counts. `stage` is how far the decision went: automatic (the rules released it),
# technical or biological (a person did, in that role), "" where it released nothing.
verdict = Table(
    "verdict", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), _number("level"), *_json("reasons", "trace", "packs", "comments", empty="[]"),
    *_must("decided_at"), *_may("decided_by", "responsible", "stage"),
    Index(None, "result"),
)  # fmt: skip

# What a rule asked to be done beside its verdict. The key makes "twice" impossible: one action of a kind and target per tube of a patient, whatever asks
# for it again. States: done, proposed (a person was asked), refused (a guard said no; `facts` say which).
action = Table(
    "action", metadata,
    _id(), *_must("site", "specimen"), *_may("patient"), *_must("kind"), *_may("target"), _refers("result", "result.id"), *_may("rule", "pack"), *_json("facts"),
    *_must("state", "at"),
    UniqueConstraint("site", "specimen", "patient", "kind", "target"),
    Index(None, "result"),
)  # fmt: skip

# A test that a rule has added under a signed protocol: `outbox` is the message that tells the LIS of it.
added_test = Table(
    "added_test", metadata,
    _id(), *_must("site"), _refers("outbox", "outbox.id"), _refers("result", "result.id"), *_must("loinc"), *_may("test_name", "protocol"), *_must("at"),
    UniqueConstraint("site", "outbox", "loinc"),
    Index(None, "outbox"),
)  # fmt: skip

# Nothing leaves by itself while one of these is open. `scope` is site, analyzer, analyte or rule; lifting it takes two people.
line_stop = Table(
    "line_stop", metadata,
    _id(), *_must("site", "scope"), *_may("target"), *_must("reason", "stopped_by", "stopped_at"), *_later("asked_by", "asked_at", "asked_why"),
    *_later("resumed_by", "resumed_at", "resumed_why"),
    Index(None, "site", "scope", "target"),
    Index("ix_line_stop_open", "site", **_where("resumed_at IS NULL")),
)  # fmt: skip

# What has left and would not leave today: a late fact speaks against it. A person decides whether it is taken back. Once per result and cause.
recall = Table(
    "recall", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("cause"), *_json("facts"), *_must("raised_at"),
    Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"), *_may("closed_by", "note"),
    UniqueConstraint("site", "result", "cause"),
    Index("ix_recall_open", "site", "raised_at", **_where("state = 'open'")),
)  # fmt: skip

# A critical value that was released, and the call to who treats the patient. States: open, documented, covered (`covered_by`: a call about a value at
# least as severe, in the same direction, is documented already).
prescriber_call = Table(
    "prescriber_call", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_may("patient", "loinc", "direction"), *_later("number"), *_may("unit"), *_json("facts"),
    *_must("raised_at"), Column("state", Text, nullable=False, server_default="open"), *_later("called_at"), *_may("called_by", "told", "read_back", "note"),
    _refers("covered_by", "prescriber_call.id", nullable=True),
    UniqueConstraint("site", "result"),
    Index("ix_prescriber_call_open", "site", "raised_at", **_where("state = 'open'")),
    Index("ix_prescriber_call_known", "site", "patient", "loinc", "called_at", **_where("state = 'documented'")),
)  # fmt: skip

# How many results the rules judged and released, by analyzer and hour: what a jump of the release rate is noticed by.
release_hour = Table(
    "release_hour", metadata,
    _id(), *_must("site", "analyzer", "hour"), _number("judged"), _number("released"),
    UniqueConstraint("site", "analyzer", "hour"),
)  # fmt: skip

# Raised at intake, whatever the verdict (law 7); once per result and kind.
alert = Table(
    "alert", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("kind"), *_json("facts"), *_must("raised_at"),
    Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"), *_may("closed_by"),
    UniqueConstraint("site", "result", "kind"),
    Index("ix_alert_open", "site", "raised_at", **_where("state = 'open'")),
)  # fmt: skip

# What a person must look at; `result` is NULL when the whole message waits. States: open, replayed, discarded.
quarantine = Table(
    "quarantine", metadata,
    _id(), *_must("site"), _refers("message", "message.id"), _refers("result", "result.id", nullable=True), *_must("reason"), *_json("facts"),
    *_must("raised_at"), Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"), *_may("closed_by", "note"),
    Index(None, "message"),
    Index("ix_quarantine_result", "result", **_where("result IS NOT NULL")),
    Index("ix_quarantine_open", "site", "raised_at", **_where("state = 'open'")),
)  # fmt: skip

# What history rules compare with: earlier results of a patient, ours and imported.
previous = Table(
    "previous", metadata,
    _id(), *_must("site", "patient", "loinc", "completed_at", "number"), *_may("comparator", "unit", "analyzer", "method", "laboratory", "source"),
    Index(None, "site", "patient", "loinc", "completed_at"),
    Index("ix_previous_once", "site", "patient", "loinc", "completed_at", "comparator", "number", "unit", "laboratory", unique=True),
)  # fmt: skip

# Registered control materials: a specimen identifier that is not a patient's tube, and which `level` it is. A row without lot is the material itself,
# one with a lot says when that lot is in use.
material = Table(
    "material", metadata,
    _id(), *_must("site", "identifier"), *_may("name", "lot", "valid_from"), *_later("valid_to"), *_may("level"),
    UniqueConstraint("site", "identifier", "lot"),
)  # fmt: skip

# --- to somebody else -----------------------------------------------------------------------------------------------------

# One message to one destination. `message` is the analyzer's message it comes from; `payload` the bytes as first sent, `receipt` the
# acknowledgment as received. `control_id` (MSH-10) stays the same over every attempt, so that the receiver can drop a repeat.
# States: waiting, claimed, delivered, dead, held (by a person), closed (by a person, or overtaken: it is sent no more). `priority` is the lane: "S" (stat) goes before "R" (everything else).
outbox = Table(
    "outbox", metadata,
    _id(), *_must("site", "destination", "control_id"), *_may("specimen"), _refers("message", "message.id"),
    Column("state", Text, nullable=False, server_default="waiting"), Column("priority", Text, nullable=False, server_default="R"),
    _number("attempts", 0), *_must("due_at"), *_later("claimed_by", "claimed_until"), *_may("last_error"), *_must("created_at"),
    *_later("delivered_at"), _bytes("payload", nullable=True), _bytes("receipt", nullable=True),
    _under("payload", name="payload_key"), _under("receipt", name="receipt_key"),
    UniqueConstraint("site", "control_id"),
    Index(None, "site", "specimen"),
    Index("ix_outbox_next", "site", "destination", text("priority DESC"), "id", **_where("state <> 'delivered'")),
)  # fmt: skip

# Which results an outbox message carries. The key makes "twice" impossible: a result goes once to a destination.
outbox_result = Table(
    "outbox_result", metadata,
    _id(), *_must("site"), _refers("outbox", "outbox.id"), _refers("result", "result.id"), *_must("destination"),
    UniqueConstraint("site", "destination", "result"),
    Index(None, "outbox"),
    Index(None, "result"),
)  # fmt: skip

# What a destination answered when it did not take a message: `code` is MSA-1. The acknowledgment that took it is in `outbox.receipt`.
receipt = Table(
    "receipt", metadata,
    _id(), *_must("site"), _refers("outbox", "outbox.id"), *_must("at", "code"), _bytes("data"), _under("data"),
    Index(None, "outbox"),
)  # fmt: skip

# A result that is sent again under a new message (`outbox`), because a destination has lost what an `earlier` one brought it. It was delivered,
# and stays so: this table, and not `outbox_result`, says what the new message carries.
redelivery = Table(
    "redelivery", metadata,
    _id(), *_must("site"), _refers("outbox", "outbox.id"), _refers("earlier", "outbox.id"), _refers("result", "result.id"),
    UniqueConstraint("site", "outbox", "result"),
    Index(None, "outbox"),
    Index(None, "result"),
)  # fmt: skip

# A search back from something that turned out to be wrong (`kind`: lot, calibrator, module, mapping, rule) to the results it touched. It is open until
# every line is closed. What it found is kept as it was found.
lookback = Table(
    "lookback", metadata,
    _id(), *_must("site", "kind", "subject"), *_may("since", "before"), *_must("opened_at", "by", "why"),
    Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"),
    Index("ix_lookback_open", "site", "opened_at", **_where("state = 'open'")),
)  # fmt: skip

# One result of it. `told` is what had left, to whom and when, at the moment of the search; `note` why the line is closed.
lookback_line = Table(
    "lookback_line", metadata,
    _id(), *_must("site"), _refers("lookback", "lookback.id"), _refers("result", "result.id"), *_may("patient", "specimen", "found"),
    *_json("told", empty="[]"), Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"), *_may("closed_by", "note"),
    UniqueConstraint("site", "lookback", "result"),
    Index(None, "lookback"),
    Index(None, "result"),
)  # fmt: skip

# --- retention --------------------------------------------------------------------------------------------------------------

# Nothing of this patient is destroyed while a hold stands: a lawsuit, a look-back, a study.
legal_hold = Table(
    "legal_hold", metadata,
    _id(), *_must("site", "patient", "at", "by", "why"), *_later("released_at"), *_may("released_by", "released_why"),
    Index(None, "site", "patient"),
)  # fmt: skip

# One destruction: by which plan, on whose signature, and what its tombstones come to (`digest`, NULL until it is through).
certificate = Table(
    "certificate", metadata,
    _id(), *_must("site", "plan", "began_at", "signed_by", "role", "signed_at"), *_later("closed_at", "digest"), _number("tombstones", 0),
    UniqueConstraint("site", "plan"),
)  # fmt: skip

# What stands where something was: which row of which table (`subject` where it has no number), and the digest of what it held. Of an audit row it is what
# the audit's chain needs of it; of everything else it is salted, and the salt is on the certificate alone: nobody can try out names and birth dates.
tombstone = Table(
    "tombstone", metadata,
    _id(), *_must("site"), _refers("certificate", "certificate.id"), *_must("class", "kind"), Column("row", _BIG), *_may("subject"), *_must("digest", "at"),
    Index(None, "certificate"),
    Index(None, "site", "kind", "row"),
)  # fmt: skip

# One removal of rows into the archive, whose files are in the folder `name` of the configured one: a patient's, or of what is nobody's (`kind` patient, qc,
# audit). It is noted before anything is written. States: writing, moved, abandoned (cut off or overtaken: the rows are still here). `last`: the patient's last activity.
# `manifest` is the digest of the file that names the others, `previous` that of the removal before it.
archive_move = Table(
    "archive_move", metadata,
    _id(), *_must("site", "name", "kind", "state", "began_at", "by"), *_later("closed_at"), *_may("last", "manifest", "previous"),
    _refers("certificate", "certificate.id", nullable=True),
    UniqueConstraint("site", "name"),
    Index("ix_archive_move_writing", "site", **_where("state = 'writing'")),
)  # fmt: skip

# One file of it: the rows of one class. `key` is its own in `data_key`. States: noted (with a removal that is written), moved; returning and
# returned (its rows are here again; the file is still there, is not), partly (they are, but for those in whose place something newer stands); destroying and destroyed
# (its key is gone; the file is still there, is not). `newest`: when the last of what is nobody's came.
archive_piece = Table(
    "archive_piece", metadata,
    _id(), *_must("site"), _refers("move", "archive_move.id"), *_must("class", "state"), *_may("digest"), Column("size", _BIG, nullable=False, server_default=text("0")),
    _number("rows", 0), Column("key", _BIG, nullable=True), *_may("newest"),
    UniqueConstraint("site", "move", "class"),
    Index("ix_archive_piece_going", "site", **_where("state IN ('destroying', 'returning')")),
    Index(None, "move"),
)  # fmt: skip

# What is in which piece: `kind` patient (everybody whose data it holds), specimen, test (LOINC), message (one that has stayed, whose results are in it).
# It goes with the piece.
archive_index = Table(
    "archive_index", metadata,
    _id(), *_must("site"), _refers("piece", "archive_piece.id"), *_must("kind", "value"),
    UniqueConstraint("site", "piece", "kind", "value"),
    Index(None, "site", "kind", "value"),
    Index(None, "piece"),
)  # fmt: skip

# --- watching -------------------------------------------------------------------------------------------------------------

audit = Table(
    "audit", metadata,
    _id(), *_must("site", "at", "who", "what"), *_may("subject", "why"), *_json("detail"),
    Index(None, "site", "subject"),
)  # fmt: skip

# The hash chain over the audit rows: each seal covers the rows after the last one up to `last`, and holds the hash of the seal before it
# (labmw.lab.sealing). A row that was changed, removed or slipped in breaks it.
audit_seal = Table(
    "audit_seal", metadata,
    _id(), *_must("site"), Column("last", _BIG, nullable=False), _number("rows"), *_must("previous", "hash", "at"),
    UniqueConstraint("site", "last"),
)  # fmt: skip

# How each link is doing now: one row per link, overwritten.
link_state = Table(
    "link_state", metadata,
    _id(), *_must("site", "link"), _number("connected", 0), *_may("peer"), *_later("since", "heard_at", "message_at"), _number("refused_in_row", 0),
    *_may("trouble"), *_json("facts"), *_must("updated_at"),
    UniqueConstraint("site", "link"),
)  # fmt: skip

# --- the LIS ----------------------------------------------------------------------------------------------------------------

# What an order was sent with: the numbers' authorities and the segments whole. `order` rows typed by hand have none.
order_origin = Table(
    "order_origin", metadata,
    _id(), *_must("site"), _refers("order", "order.id"), _refers("message", "message.id"),
    *_may("placer_authority", "filler_authority", "orc", "obr", "spm"),
    UniqueConstraint("site", "order"),
)  # fmt: skip

# The national identity number of a patient, nowhere else in the store than here and in messages named by `message_patient`
# (`patient.pid` is kept without it), so that it can be removed. Qualified identities only (PID-32 = VALI).
ins = Table(
    "ins", metadata,
    _id(), *_must("site", "patient", "number", "oid"), _refers("message", "message.id"), *_must("since"),
    UniqueConstraint("site", "patient"),
    Index(None, "site", "number"),
)  # fmt: skip

# Which messages hold the identity of a patient: where an INS that is withdrawn has to be looked for.
message_patient = Table(
    "message_patient", metadata,
    _id(), *_must("site"), _refers("message", "message.id"), *_must("patient"),
    UniqueConstraint("site", "patient", "message"),
)  # fmt: skip

# What happened to an identity, in words without any trait or number of it. What: created, changed, merged, ins-set, ins-removed, ins-ignored.
patient_history = Table(
    "patient_history", metadata,
    _id(), *_must("site", "patient", "at", "what"), _refers("message", "message.id", nullable=True), *_json("detail"),
    Index(None, "site", "patient"),
)  # fmt: skip

# A patient number that was merged into another (A40) or replaced by it (A47): whoever still uses the old one means the new one.
patient_alias = Table(
    "patient_alias", metadata,
    _id(), *_must("site", "identifier", "patient", "at"), _refers("message", "message.id"),
    UniqueConstraint("site", "identifier"),
    Index(None, "site", "patient"),
)  # fmt: skip

# A tube whose orders were typed by hand while the LIS was away, as the label and two identifiers say. States: open, reconciled, mismatch.
provisional = Table(
    "provisional", metadata,
    _id(), *_must("site", "specimen", "patient", "birth"), *_may("family"), *_must("typed_by", "typed_at"),
    Column("state", Text, nullable=False, server_default="open"), *_later("settled_at"), Column("message", _BIG),
    Index("ix_provisional_open", "site", "specimen", **_where("state = 'open'")),
)  # fmt: skip

# What a person has to do by hand. States: open, done. `subject` names what it is about, such as result/17; once per kind and subject.
task = Table(
    "task", metadata,
    _id(), *_must("site", "kind", "subject"), *_may("specimen"), *_json("facts"), *_must("raised_at"),
    Column("state", Text, nullable=False, server_default="open"), *_later("closed_at"), *_may("closed_by", "note"),
    UniqueConstraint("site", "kind", "subject"),
    Index("ix_task_open", "site", "raised_at", **_where("state = 'open'")),
)  # fmt: skip

# A result that was delivered and is taken back: `outbox` is the message that says so.
withdrawal = Table(
    "withdrawal", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), _refers("outbox", "outbox.id"), *_must("at", "by", "why"),
    UniqueConstraint("site", "result", "outbox"),
    Index(None, "outbox"),
)  # fmt: skip

# What the LIS says it holds, from the feed of all that it releases: one row per tube, test and the LIS's order, overwritten.
lis_holds = Table(
    "lis_holds", metadata,
    _id(), *_must("site", "specimen", "loinc"), *_may("placer", "value", "comparator", "unit", "status"), _refers("message", "message.id"), *_must("at"),
    UniqueConstraint("site", "specimen", "loinc", "placer"),
)  # fmt: skip

# --- quality control ------------------------------------------------------------------------------------------------------

# In these tables `analyzer` is the serial number, or the link, or "" for all; `module` is the device an analyzer names, or ""; `test` is the LOINC code,
# or the analyzer's own code where there is none. What a person sets is never overwritten: it ends (`ended_at`), and the next row follows.

# What a lot should measure: `mean` and `sd` in `unit`, or the word that is `expected`.
qc_target = Table(
    "qc_target", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test", "material", "lot"), *_may("unit"), *_later("mean", "sd"), *_may("expected", "source"),
    *_must("set_at", "set_by", "why"), *_later("ended_at"),
    Index("ix_qc_target_open", "site", "test", **_where("ended_at IS NULL")),
)  # fmt: skip

# Which rules a test is controlled by, and what quality control decides for patients: `gate` none, start (the last control before the measurement
# counts) or bracket (the next one too). `max_age` and `run_minutes` are minutes; `allowed` is the total error allowed in percent, with its source.
qc_plan = Table(
    "qc_plan", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test"), *_json("rules", empty="[]"), *_must("gate"), _number("max_age", 0),
    _number("run_minutes", 120), *_may("allowed", "allowed_source"), *_must("set_at", "set_by", "why"), *_may("second"), *_later("ended_at"),
    Index("ix_qc_plan_open", "site", "test", **_where("ended_at IS NULL")),
)  # fmt: skip

# One control result, judged once: with which target, at which z, and which rules it broke. `run` names the run it belongs to. A point marked as a
# technical error is shown and judged by nothing. States: in-control, warning, out, unjudged (no target, another unit, no number).
qc_point = Table(
    "qc_point", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("link", "analyzer"), *_may("module"), *_must("test"), *_may("test_name"),
    *_must("material"), *_may("lot", "level", "reagent_lot"), *_must("at", "run"), *_may("value", "unit"), *_later("number", "mean", "sd", "z"),
    *_must("state"), *_may("doubt"), *_json("broken", empty="[]"), *_later("excluded_at"), *_may("excluded_by"),
    UniqueConstraint("site", "result"),
    Index(None, "site", "test", "at"),
)  # fmt: skip

# How quality control stands, by analyzer, module, test and level: the newest run of that level, the rule that decided, and the points it stands on.
qc_state = Table(
    "qc_state", metadata,
    _id(), *_must("site", "analyzer"), *_may("module"), *_must("test"), *_may("level"), *_must("link"), *_may("test_name", "material", "lot"), *_must("state"),
    *_may("rule"), *_json("points", empty="[]"), *_must("at", "since"),
    UniqueConstraint("site", "analyzer", "module", "test", "level"),
    Index(None, "site", "test"),
)  # fmt: skip

# A documented corrective action: the history that rules look back on begins anew after it.
qc_restart = Table(
    "qc_restart", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test", "at", "by", "why"),
    Index(None, "site", "test", "at"),
)  # fmt: skip

# Patients' results may leave although quality control says no: asked for by one person, approved by another, until a moment, and it marks what it let go.
qc_derogation = Table(
    "qc_derogation", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test", "why", "until", "asked_at", "asked_by"), *_later("approved_at"), *_may("approved_by"),
    *_later("ended_at"), *_may("ended_by"),
    Index(None, "site", "test"),
)  # fmt: skip

# A calibration that was done, as a person has recorded it: `outcome` passed or failed. `test` may be "*", a whole analyzer's. It holds for results
# measured from `at` on, until the next; of `reagent_lot` alone, where it is given. `lot` is the calibrator's. One recorded in error ends.
calibration = Table(
    "calibration", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test", "at", "outcome"), *_may("lot", "reagent_lot"), *_must("recorded_at", "by", "why"),
    *_later("ended_at"), *_may("ended_by"),
    Index("ix_calibration_open", "site", "test", **_where("ended_at IS NULL")),
)  # fmt: skip

# A reagent on board, as a person has recorded it, from `opened_at` until `removed_at`; `part` tells those of one test apart (R1, R2).
reagent = Table(
    "reagent", metadata,
    _id(), *_must("site"), *_may("analyzer", "module"), *_must("test"), *_may("part"), *_must("lot", "opened_at"), *_later("expires_at", "removed_at"),
    *_must("set_at", "set_by", "why"),
    Index(None, "site", "test"),
)  # fmt: skip

# Whether a lot of reagent was accepted for a test (its comparison with the lot before): `accepted` 1 or 0, the newest that has not ended counts.
reagent_lot = Table(
    "reagent_lot", metadata,
    _id(), *_must("site"), *_may("analyzer"), *_must("test", "lot"), _number("accepted"), *_must("at", "by", "why"), *_may("second"), *_later("ended_at"),
    Index("ix_reagent_lot_open", "site", "test", **_where("ended_at IS NULL")),
)  # fmt: skip

# How the average of patients is made for a test, and between which limits it is quiet. `size` results, or a `weight` for EWMA.
average_plan = Table(
    "average_plan", metadata,
    _id(), *_must("site"), *_may("analyzer"), *_must("test", "algorithm"), _number("size", 0), *_may("weight"), *_may("unit"), *_must("truncate_low", "truncate_high"),
    *_must("low", "high"), *_may("start"), *_json("wards", empty="[]"), *_must("set_at", "set_by", "why"), *_later("ended_at"),
    Index("ix_average_plan_open", "site", "test", **_where("ended_at IS NULL")),
)  # fmt: skip

# The average as the last released result left it: `kept` are the results it still needs, oldest first. States: ok, alarm.
average_state = Table(
    "average_state", metadata,
    _id(), *_must("site", "analyzer", "test"), _refers("plan", "average_plan.id"), *_json("kept", empty="[]"), *_later("value"), _number("count", 0),
    *_must("state", "since", "at"), _refers("result", "result.id", nullable=True),
    UniqueConstraint("site", "analyzer", "test"),
)  # fmt: skip

# --- packs ------------------------------------------------------------------------------------------------------------------

# Who is the responsible biologist, from a moment to another; a release names whoever stands here at its hour.
roster = Table(
    "roster", metadata,
    _id(), *_must("site", "who", "starts", "ends", "set_at", "set_by", "why"), *_later("ended_at"),
    Index("ix_roster_open", "site", "starts", **_where("ended_at IS NULL")),
)  # fmt: skip

# What a pack that is only watched would have said; nothing ever acts on it.
shadow_verdict = Table(
    "shadow_verdict", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), *_must("pack"), _number("level"), _number("active", 0), *_json("reasons", empty="[]"), *_must("decided_at"),
    UniqueConstraint("site", "result", "pack"),
    Index(None, "site", "pack"),
)  # fmt: skip

# --- other laboratories -----------------------------------------------------------------------------------------------------------

# One test or battery that one laboratory asks another for (IHE ILW). `role` is ours: requester or subcontractor; `number` is the requester's (ORC-2), `filler`
# the subcontractor's (ORC-3). States: protocols.hl7.ilw_states; `before` is where a refused cancellation leads back to. `tests` are LOINC codes, `service`
# OBR-4 in six parts. `missing` names what the test asks for and is not there yet: it blocks this sub-order alone. `due_at`: when its results are late.
# `aliquot` is the number on the tube that leaves, where `specimen` itself stays.
sub_order = Table(
    "sub_order", metadata,
    _id(), *_must("site", "role", "partner", "number"), *_may("authority", "filler", "filler_authority", "group_number", "group_authority"),
    *_may("specimen", "patient"), *_json("service", "tests", "missing", empty="[]"), Column("priority", Text, nullable=False, server_default="R"),
    *_must("state"), *_may("before", "reason", "reason_text", "parent", "aliquot"), _refers("message", "message.id"),
    Column("box", _BIG),
    *_later("due_at"), *_must("created_at"), *_later("sent_at", "answered_at", "received_at", "resulted_at", "closed_at"), *_must("updated_at"),
    UniqueConstraint("site", "role", "partner", "number"),
    Index(None, "site", "specimen"),
    Index("ix_sub_order_open", "site", "due_at", **_where("closed_at IS NULL")),
    Index("ix_sub_order_box", "box", **_where("box IS NOT NULL")),
)  # fmt: skip

# Which orders of this laboratory a sub-order stands for: those of its LIS for the requester, those made for the analyzers for the subcontractor.
sub_order_order = Table(
    "sub_order_order", metadata,
    _id(), *_must("site"), _refers("sub_order", "sub_order.id"), _refers("order", "order.id"),
    UniqueConstraint("site", "order", "sub_order"),
    Index(None, "sub_order"),
    Index(None, "order"),
)  # fmt: skip

# Everything that happened to a sub-order, with the state it led to. `event` also names what contradicted: the state stays then.
sub_order_event = Table(
    "sub_order_event", metadata,
    _id(), *_must("site"), _refers("sub_order", "sub_order.id"), *_must("at", "event", "state"), _refers("message", "message.id", nullable=True),
    *_may("by", "why"), *_json("facts"),
    Index(None, "sub_order"),
)  # fmt: skip

# What an outbox message to a partner says of which sub-orders: ORC-1 (NW, CA, SC, OC ...), and with SC what of it: shipped, missing.
# One that carries results has none.
sub_order_said = Table(
    "sub_order_said", metadata,
    _id(), *_must("site"), _refers("outbox", "outbox.id"), _refers("sub_order", "sub_order.id"), *_must("control"), *_may("status", "about"),
    UniqueConstraint("site", "outbox", "sub_order"),
    Index(None, "sub_order"),
    Index(None, "outbox"),
)  # fmt: skip

# What goes along with a sub-order because its test asks for it: kind prescription, consent, questionnaire, or the code of a question.
sub_order_item = Table(
    "sub_order_item", metadata,
    _id(), *_must("site"), _refers("sub_order", "sub_order.id"), *_must("kind"), *_may("text", "media"), _bytes("data", nullable=True), *_must("at"), *_may("by"),
    _under("data"),
    UniqueConstraint("site", "sub_order", "kind"),
    Index(None, "sub_order"),
)  # fmt: skip

# Every version of a result that a partner has sent, as it was sent (`obx`: its OBX and notes), and who performed it. `result` is the row that it made, or
# took. `fate`: new, repeat, next (takes the place of one that had not left), recall (of one that had), old (said before what we have), withdrawn, changed.
performed = Table(
    "performed", metadata,
    _id(), *_must("site"), _refers("result", "result.id"), _refers("sub_order", "sub_order.id"), _refers("message", "message.id"),
    *_may("status", "value", "unit", "obx", "laboratory", "laboratory_id", "accreditation", "biologist", "validated_at"),
    *_must("said_at", "fate", "at"),
    Index(None, "result"),
    Index(None, "sub_order"),
)  # fmt: skip

# A report as a document, from a partner or for one. `whole` is 0 for one that is cut off: it is kept, and a person asks for it again.
partner_document = Table(
    "partner_document", metadata,
    _id(), *_must("site"), _refers("sub_order", "sub_order.id"), _refers("message", "message.id", nullable=True), *_must("direction", "kind", "digest"),
    _bytes("data"), _number("whole", 1), *_must("at"), _under("data"),
    UniqueConstraint("site", "sub_order", "direction", "digest"),
    Index(None, "sub_order"),
)  # fmt: skip

# A box of tubes to a partner (`direction` out: open, shipped, received), or from one (in: announced, received; `announced` is how many tubes it says).
box = Table(
    "box", metadata,
    _id(), *_must("site", "partner", "number"), *_may("temperature", "courier", "tracking"), *_must("state", "opened_at"), *_later("shipped_at", "received_at"),
    *_may("by"), Column("direction", Text, nullable=False, server_default="out"), Column("announced", Integer),
    UniqueConstraint("site", "partner", "number"),
    Index("ix_box_named", "site", "number", **_where("direction = 'in'")),
    Index("ix_box_coming", "site", **_where("direction = 'in' AND state = 'announced'")),
)  # fmt: skip

# A tube in a box. States: packed, or announced in one that comes; received, missing, non-conforming; unexpected: it came, and no list names it.
box_tube = Table(
    "box_tube", metadata,
    _id(), *_must("site"), _refers("box", "box.id"), *_must("specimen", "state"), *_may("reason"), *_must("at"), *_may("by"),
    UniqueConstraint("site", "box", "specimen"),
    Index(None, "box"),
    Index(None, "site", "specimen"),
)  # fmt: skip

# What a partner performs, as its catalogue says: one row for each of its codes and our analyte, in a version.
catalogue_entry = Table(
    "catalogue_entry", metadata,
    _id(), *_must("site", "partner", "code"), *_may("name", "loinc", "nabm", "specimen", "tube", "volume", "unit", "stability", "temperature"),
    _number("turnaround", 0), *_json("questions", "requires", empty="[]"), *_must("version", "valid_from"), *_later("valid_to"),
    UniqueConstraint("site", "partner", "version", "code", "loinc"),
)  # fmt: skip

# A file that was exchanged with a partner. `number` counts them where the partner numbers its files. States: sent, taken, duplicate, rejected.
partner_file = Table(
    "partner_file", metadata,
    _id(), *_must("site", "partner", "direction", "name"), Column("number", Integer), *_must("digest", "state"), _refers("message", "message.id", nullable=True),
    *_may("detail"), *_must("at"),
    Index(None, "site", "partner", "direction", "name"),
    Index(None, "site", "partner", "digest"),
)  # fmt: skip

ENCRYPTED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    table.name: keys
    for table in metadata.sorted_tables
    if (keys := {column.name: column.info["opens"] for column in table.c if "opens" in column.info})
}
"""Which columns are encrypted where there is a key file: by table, then by the column that names their key."""
