"""What waits to be delivered: claimed for a while, delivered once, given up to a person."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, FromClause, Text, and_, exists, func, literal, or_, select, update

from labmw.store.schema import outbox, outbox_result, result, verdict, withdrawal
from labmw.store.statements.words import given, given_bytes, given_number, is_free, is_not, is_one_of
from labmw.store.transaction import Step

_undelivered = is_not(outbox.c.state, "delivered")
_unfinished = and_(_undelivered, is_one_of(outbox.c.state, "waiting", "claimed"))
_earlier, _its, _mine = outbox.alias("earlier"), outbox_result.alias("its"), outbox_result.alias("mine")
_theirs, _ours, _word = result.alias("theirs"), result.alias("ours"), withdrawal.alias("word")
# An earlier message with the same test of the same specimen is on its way, or held: this one must not overtake it. A dead one blocks nobody.
# Two analyzers may call one test by different codes: what has a LOINC code is known by it.


def _same_test(mine: FromClause, its: FromClause) -> ColumnElement[bool]:
    """`mine` and `its` say what the two are about: results that they bring (`outbox_result`), or take back (`withdrawal`)."""
    pair = exists().where(
        its.c.outbox == _earlier.c.id,
        _theirs.c.id == its.c.result,
        mine.c.outbox == outbox.c.id,
        _ours.c.id == mine.c.result,
        _ours.c.loinc == _theirs.c.loinc,
        or_(_ours.c.loinc != literal("", Text(), literal_execute=True), _ours.c.code == _theirs.c.code),
    )
    return pair.correlate(outbox, _earlier)


_must_wait = exists().where(
    _earlier.c.site == outbox.c.site,
    _earlier.c.specimen == outbox.c.specimen,
    _earlier.c.destination == outbox.c.destination,
    _earlier.c.id < outbox.c.id,
    is_one_of(_earlier.c.state, "waiting", "claimed", "held"),
    or_(_same_test(_mine, _its), _same_test(_mine, _word), _same_test(_word, _its)),
)
_next = (
    select(outbox.c.id)
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        _unfinished,
        outbox.c.due_at <= given("now"),
        is_free(outbox.c.claimed_until),
        ~_must_wait,
    )
    .order_by(outbox.c.priority.desc(), outbox.c.id)
    .limit(given_number("most"))
    .with_for_update(skip_locked=True, of=outbox)
)
_CLAIM: Final = (
    update(outbox)
    .where(outbox.c.id.in_(_next))
    .values(state="claimed", claimed_by=given("who"), claimed_until=given("until"), attempts=outbox.c.attempts + 1)
    .returning(outbox)
)
_DELIVERED: Final = (
    update(outbox)
    .where(outbox.c.id == given_number("entry"), outbox.c.state != "delivered")
    .values(
        state="delivered",
        delivered_at=given("at"),
        receipt=given_bytes("new_receipt"),
        receipt_key=given_number("new_receipt_key"),
        claimed_by=None,
        claimed_until=None,
        last_error="",
    )
    .returning(outbox.c.id)
)
_RETRY: Final = (
    update(outbox)
    .where(outbox.c.id == given_number("entry"), outbox.c.claimed_by == given("who"))
    .values(state="waiting", due_at=given("due"), last_error=given("error"), claimed_by=None, claimed_until=None)
    .returning(outbox.c.id)
)
_DEAD: Final = (
    update(outbox)
    .where(outbox.c.id == given_number("entry"), outbox.c.claimed_by == given("who"))
    .values(state="dead", last_error=given("error"), claimed_by=None, claimed_until=None)
    .returning(outbox.c.id)
)
_carried = select(outbox_result.c.result).where(outbox_result.c.outbox == given_number("entry"))
_RESULTS: Final = (
    update(result)
    .where(result.c.id.in_(_carried), result.c.state == given("was"))
    .values(state=given("becomes"))
    .returning(result.c.id)
)
_other, _again = outbox.alias("other"), outbox_result.alias("again")
_ARRIVED: Final = (  # at every destination: until then the result is not delivered
    update(result)
    .where(
        result.c.id.in_(_carried),
        is_one_of(result.c.state, "released", "dead"),
        ~exists().where(
            _again.c.result == result.c.id,
            _other.c.id == _again.c.outbox,
            _other.c.state.not_in(("delivered", "closed")),
        ),
    )
    .values(state="delivered")
    .returning(result.c.id)
)
_HURRY: Final = (
    update(outbox)
    .where(
        outbox.c.site == given("of_site"),
        outbox.c.specimen == given("tube"),
        outbox.c.destination == given("to"),
        is_one_of(outbox.c.state, "waiting"),
    )
    .values(priority="S")
)
_RELEASE: Final = (
    update(outbox)
    .where(outbox.c.site == given("at_site"), _undelivered, is_one_of(outbox.c.state, "claimed"))
    .values(state="waiting", claimed_by=None, claimed_until=None)
)
_OURS: Final = (
    update(outbox)
    .where(
        outbox.c.site == given("at_site"),
        _undelivered,
        is_one_of(outbox.c.state, "claimed"),
        outbox.c.claimed_by == given("who"),
    )
    .values(state="waiting", claimed_by=None, claimed_until=None)
)
_BRING_FORWARD: Final = (
    update(outbox)
    .where(
        outbox.c.site == given("at_site"),
        _unfinished,
        or_(outbox.c.due_at > given("latest"), outbox.c.claimed_until > given("latest")),
    )
    .values(state="waiting", due_at=given("now"), claimed_by=None, claimed_until=None)
    .returning(outbox.c.id)
)
_BY_DESTINATION: Final = (
    select(
        outbox.c.destination,
        outbox.c.state,
        func.count().label("count"),
        func.min(outbox.c.created_at).label("oldest"),
        func.max(outbox.c.attempts).label("attempts"),
    )
    .where(outbox.c.site == given("site"), is_not(outbox.c.state, "delivered", "closed"))
    .group_by(outbox.c.destination, outbox.c.state)
    .order_by(outbox.c.destination, outbox.c.state)
)
_BY_CONTROL_ID: Final = select(outbox).where(outbox.c.site == given("site"), outbox.c.control_id == given("control_id"))
_NUMBERED: Final = select(outbox.c.state, outbox.c.payload).where(outbox.c.id == given_number("entry"))
_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_REPORT: Final = (
    select(
        result,
        verdict.c.decided_at,
        verdict.c.decided_by,
        verdict.c.packs,
        verdict.c.comments.label("verdict_comments"),
    )
    .select_from(
        outbox_result.join(result, result.c.id == outbox_result.c.result).join(verdict, verdict.c.id == _latest)
    )
    .where(outbox_result.c.outbox == given_number("entry"))
    .order_by(result.c.id)
)
_KEEP_PAYLOAD: Final = (
    update(outbox)
    .where(outbox.c.id == given_number("entry"), outbox.c.payload.is_(None))
    .values(payload=given_bytes("new_payload"), payload_key=given_number("new_payload_key"))
)
_GIVE_BACK: Final = (
    update(outbox)
    .where(outbox.c.id == given_number("entry"), outbox.c.claimed_by == given("who"))
    .values(
        state="waiting",
        due_at=given("due"),
        last_error=given("error"),
        attempts=outbox.c.attempts - 1,
        claimed_by=None,
        claimed_until=None,
    )
    .returning(outbox.c.id)
)


def claim_outbox(site: str, destination: str, *, limit: int, now: str, until: str, who: str) -> Step:
    """Take the next messages to a destination that are due and free, until a moment: stat first, then the oldest.

    A message waits for an earlier one with the same test of the same specimen.

    Answers the rows in no particular order. A claim that has run out is free again: its claimer died. `attempts` counts this one.
    """
    values = {"site": site, "to": destination, "now": now, "until": until, "who": who, "most": limit}
    return Step(_CLAIM, values)


def outbox_delivered(entry: int, *, at: str, receipt: bytes) -> Step:
    """The receiver has accepted; true whoever holds the claim by now. Answers no row when it was delivered before."""
    return Step(_DELIVERED, {"entry": entry, "at": at, "new_receipt": receipt, "new_receipt_key": None})


def outbox_retry(entry: int, *, who: str, due: str, error: str) -> Step:
    """To be sent again from `due` on; answers no row when the claim was lost."""
    return Step(_RETRY, {"entry": entry, "who": who, "due": due, "error": error})


def outbox_dead(entry: int, *, who: str, error: str) -> Step:
    """Given up, to a person; answers no row when the claim was lost."""
    return Step(_DEAD, {"entry": entry, "who": who, "error": error})


def results_of_outbox(entry: int, *, was: str = "released", becomes: str) -> Step:
    """Move the results that a message carries to their next state; answers their ids."""
    return Step(_RESULTS, {"entry": entry, "was": was, "becomes": becomes})


def results_arrived(entry: int) -> Step:
    """The results of a message that has arrived are delivered, those that have arrived everywhere they go; answers their ids."""
    return Step(_ARRIVED, {"entry": entry})


def hurry(site: str, destination: str, specimen: str) -> Step:
    """Let what waits of a specimen go with the stat lane: an urgent message must not wait behind an earlier routine one of its tube."""
    return Step(_HURRY, {"of_site": site, "tube": specimen, "to": destination})


def outbox_by_control_id(site: str, control_id: str) -> Step:
    """The outbox message of this MSH-10."""
    return Step(_BY_CONTROL_ID, {"site": site, "control_id": control_id})


def outbox_numbered(entry: int) -> Step:
    """An outbox message as it is now: `state` and `payload`."""
    return Step(_NUMBERED, {"entry": entry})


def outbox_waiting(site: str) -> Step:
    """Per destination and state that is neither delivered nor closed: `count`, since when the `oldest` waits, and the most `attempts`."""
    return Step(_BY_DESTINATION, {"site": site})


def report_of(entry: int) -> Step:
    """What an outbox message reports: its results with their latest verdict."""
    return Step(_REPORT, {"entry": entry})


def keep_payload(entry: int, payload: bytes) -> Step:
    """Keep the bytes of a message before they are sent for the first time: every attempt sends the same."""
    return Step(_KEEP_PAYLOAD, {"entry": entry, "new_payload": payload, "new_payload_key": None})


def give_back(entry: int, *, who: str, due: str, error: str) -> Step:
    """Give a claimed message back unsent: the attempt does not count."""
    return Step(_GIVE_BACK, {"entry": entry, "who": who, "due": due, "error": error})


def bring_outbox_forward(site: str, *, now: str, latest: str) -> Step:
    """Make due what would wait beyond a moment: the clock was set back under it. Answers what was."""
    return Step(_BRING_FORWARD, {"at_site": site, "now": now, "latest": latest})


def release_outbox(site: str) -> Step:
    """Free every claim, as `release_work` does. The attempts stay counted: what was claimed may have been sent."""
    return Step(_RELEASE, {"at_site": site})


def release_our_outbox(site: str, who: str) -> Step:
    """Free what a step of this process claimed and the store did not let it finish. The attempts stay counted: it may have been sent."""
    return Step(_OURS, {"at_site": site, "who": who})
