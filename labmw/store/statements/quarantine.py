"""The way out of quarantine: which entries there are, what they hold, and how they are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, select, update

from labmw.store.schema import alert, message, quarantine, result, work
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_open = is_one_of(quarantine.c.state, "open")
_ENTRY: Final = (
    select(quarantine, message.c.link, message.c.sender, message.c.raw)
    .join(message, message.c.id == quarantine.c.message)
    .where(quarantine.c.site == given("site"), quarantine.c.id == given_number("entry"))
)
_MESSAGES: Final = (
    select(quarantine.c.message, func.min(quarantine.c.raised_at).label("since"))
    .where(quarantine.c.site == given("site"), _open)
    .group_by(quarantine.c.message)
    .order_by(quarantine.c.message)
)
_OF_REASON: Final = (
    select(quarantine.c.message, func.min(quarantine.c.raised_at).label("since"))
    .where(quarantine.c.site == given("site"), _open, quarantine.c.reason == given("reason"))
    .group_by(quarantine.c.message)
    .order_by(quarantine.c.message)
)
_waits = work.alias("waits")
_WITHOUT_ORDER: Final = (
    select(quarantine.c.message)
    .join(result, result.c.id == quarantine.c.result)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("tube"),
        result.c.state == "quarantined",
        quarantine.c.state == "open",
        quarantine.c.reason == "no-order",
        ~exists().where(_waits.c.message == quarantine.c.message, _waits.c.kind == given("of_kind")),
    )
    .distinct()
    .order_by(quarantine.c.message)
)
_OF_MESSAGE: Final = (
    select(quarantine).where(quarantine.c.message == given_number("of_message"), _open).order_by(quarantine.c.id)
)
_RESULTS: Final = select(result).where(result.c.message == given_number("of_message")).order_by(result.c.id)
_RESULT: Final = select(result).where(result.c.id == given_number("result_id"))
_MESSAGE: Final = select(message).where(message.c.site == given("site"), message.c.id == given_number("of_message"))
_CLOSE: Final = (
    update(quarantine)
    .where(quarantine.c.id == given_number("entry"), quarantine.c.state == "open")
    .values(state=given("becomes"), closed_at=given("at"), closed_by=given("by"), note=given("why"))
    .returning(quarantine.c.id)
)
_columns = [column.name for column in result.columns if column.name not in ("id", "site", "message")]
_REPLACE: Final = (
    update(result)
    .where(result.c.id == given_number("result_id"), result.c.state == "quarantined")
    .values({name: bindparam(f"new_{name}", type_=result.c[name].type) for name in _columns})
    .returning(result.c.id)
)
_SET_ASIDE: Final = (
    update(result)
    .where(result.c.id == given_number("result_id"), result.c.state == "quarantined")
    .values(key=given("aside"), identity=given("aside"))
)
_ASSIGN: Final = (
    update(result)
    .where(result.c.id == given_number("result_id"), result.c.state == "quarantined")
    .values(specimen=given("tube"), patient=given("owner"), state=given("becomes"))
    .returning(result.c.id)
)
_WORK: Final = select(work.c.id).where(work.c.message == given_number("of_message"), work.c.kind == "verify")
_CLOSE_ALERT: Final = (
    update(alert)
    .where(alert.c.site == given("of_site"), alert.c.id == given_number("entry"), alert.c.state == "open")
    .values(state="closed", closed_at=given("at"), closed_by=given("by"))
    .returning(alert.c.id, alert.c.result, alert.c.kind)
)


def quarantine_entry(site: str, entry: int) -> Step:
    """One entry, open or closed, with the link, sender and bytes of its message."""
    return Step(_ENTRY, {"site": site, "entry": entry})


def messages_in_quarantine(site: str, reason: str = "") -> Step:
    """The messages with an open entry (of one reason, or of any), in the order in which they came."""
    return Step(_OF_REASON, {"site": site, "reason": reason}) if reason else Step(_MESSAGES, {"site": site})


def messages_without_order(site: str, specimen: str, kind: str) -> Step:
    """The messages with a result of this tube that lies in quarantine for want of an order, and no work of this kind yet."""
    return Step(_WITHOUT_ORDER, {"site": site, "tube": specimen, "of_kind": kind})


def entries_of_message(message: int) -> Step:
    """The open entries of a message: for the whole of it (`result` NULL) and for single results."""
    return Step(_OF_MESSAGE, {"of_message": message})


def results_of_message(message: int) -> Step:
    """Every result that a message has brought."""
    return Step(_RESULTS, {"of_message": message})


def result_numbered(result: int) -> Step:
    """One result."""
    return Step(_RESULT, {"result_id": result})


def message_numbered(site: str, message: int) -> Step:
    """One message, whole."""
    return Step(_MESSAGE, {"site": site, "of_message": message})


def close_entry(entry: int, *, becomes: str, at: str, by: str, why: str) -> Step:
    """Close an entry; answers no row when it was closed already (then undo: raise)."""
    return Step(_CLOSE, {"entry": entry, "becomes": becomes, "at": at, "by": by, "why": why})


def replace_result(result: int, row: Mapping[str, Any]) -> Step:
    """Let what is read today take the place of what was read then, in quarantine only; answers no row when it has left it."""
    return Step(_REPLACE, {"result_id": result, **{f"new_{name}": row[name] for name in _columns}})


def set_aside(results: Sequence[int]) -> Step:
    """Take the identities of results that are about to be replaced: one may be given what another had."""
    return Step(_SET_ASIDE, [{"result_id": one, "aside": f"\x1freplaced {one}"} for one in results])


def assign_result(result: int, *, specimen: str, patient: str, becomes: str) -> Step:
    """Say whose a result in quarantine is; answers no row when it has left it."""
    return Step(_ASSIGN, {"result_id": result, "tube": specimen, "owner": patient, "becomes": becomes})


def work_of_message(message: int) -> Step:
    """The verification of a message that waits already."""
    return Step(_WORK, {"of_message": message})


def close_alert(site: str, entry: int, *, at: str, by: str) -> Step:
    """Close an alert; answers its `result` and `kind`, or no row when it was closed already."""
    return Step(_CLOSE_ALERT, {"of_site": site, "entry": entry, "at": at, "by": by})
