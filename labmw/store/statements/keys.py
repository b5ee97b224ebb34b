"""What is asked of the store about the keys of what it holds: which there are, new ones, and those that are to be destroyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Table, delete, func, insert, literal, or_, select, update

from labmw.store.schema import ENCRYPTED, data_key, frame, message, metadata, outbox, session, store_key
from labmw.store.statements.words import given, given_bytes, given_number, given_numbers, is_one_of
from labmw.store.transaction import Step

FORGOTTEN: Final = select(literal(1).label("forgotten"))
"""Says to the writer, by its identity, that something was taken out which must not stay in the log either (labmw.store.writer)."""

INSERT_KEYS: Final = insert(data_key)
_numbers = given_numbers("numbers")
_current = is_one_of(store_key.c.state, "current")

_STORE_KEYS: Final = select(store_key).order_by(store_key.c.id)
_CURRENT: Final = select(store_key).where(_current)
# One statement: is our store key still the one, and which numbers may we give? Writers wait for each other (0030), so no number is given twice.
_ALLOCATE: Final = (
    update(store_key)
    .where(store_key.c.name == given("our_key"), _current)
    .values(given=store_key.c.given + given_number("count"))
    .returning(store_key.c.given)
)
_AMONG: Final = select(data_key).where(data_key.c.id.in_(_numbers))
_DESTROY: Final = delete(data_key).where(data_key.c.id.in_(_numbers))
_UNDER_OTHERS: Final = (
    select(data_key)
    .where(data_key.c.id > given_number("after"), data_key.c.store_key != given("our_key"))
    .order_by(data_key.c.id)
    .limit(given_number("most"))
)
_REWRAP: Final = (
    update(data_key)
    .where(data_key.c.id == given_number("number"))
    .values(store_key=given("our_key"), wrapped=given_bytes("again"))
    .returning(data_key.c.id)
)
_RETIRE: Final = update(store_key).where(_current).values(state=given("becomes"), ended_at=given("at"))
_END: Final = (
    update(store_key)
    .where(is_one_of(store_key.c.state, "retired"))
    .values(state="destroyed", ended_at=given("at"))
    .returning(store_key.c.name)
)
_KEYS_UNDER: Final = select(data_key.c.store_key, func.count().label("count")).group_by(data_key.c.store_key)
_LAST_MESSAGE: Final = select(func.coalesce(func.max(message.c.id), 0).label("id"))
_NOTHING_OPEN: Final = update(store_key).values(open_until=0).returning(store_key.c.id)
_NEWEST: Final = select(data_key).order_by(data_key.c.id.desc()).limit(1)


def store_keys() -> Step:
    """Every store key that this store has known, the first first."""
    return Step(_STORE_KEYS)


def current() -> Step:
    """The store key under which new keys are wrapped: no row while nothing is encrypted."""
    return Step(_CURRENT)


def allocate(name: str, count: int) -> Step:
    """Take so many numbers of keys; answers the last of them (`given`), or no row when the store key is not the current one."""
    return Step(_ALLOCATE, {"our_key": name, "count": count})


def keep(rows: Sequence[Mapping[str, Any]]) -> Step:
    """Keep new keys, wrapped."""
    return Step(INSERT_KEYS, rows)


def among(numbers: Sequence[int]) -> Step:
    """These keys, as far as they still are."""
    return Step(_AMONG, {"numbers": list(numbers)})


def destroy(numbers: Sequence[int]) -> Step:
    """Destroy keys: what they encrypted can never be read again, wherever a copy of it lies."""
    return Step(_DESTROY, {"numbers": list(numbers)})


def forgotten() -> Step:
    """Say that this transaction takes something out for good: the writer empties its log after it."""
    return Step(FORGOTTEN)


def under_others(name: str, after: int, *, most: int) -> Step:
    """Keys wrapped under another store key than this, after a number."""
    return Step(_UNDER_OTHERS, {"our_key": name, "after": after, "most": most})


def rewrap(number: int, name: str, again: bytes) -> Step:
    """Keep a key wrapped under another store key."""
    return Step(_REWRAP, {"number": number, "our_key": name, "again": again})


def retire(becomes: str, at: str) -> Step:
    """The current store key is so no longer: "retired" or "lost"."""
    return Step(_RETIRE, {"becomes": becomes, "at": at})


def end_retired(at: str) -> Step:
    """Nothing is wrapped under the retired ones any more; answers their names."""
    return Step(_END, {"at": at})


def counted() -> Step:
    """How many keys there are under each store key; reads all of them."""
    return Step(_KEYS_UNDER)


def last_message() -> Step:
    """One row: the number of the last message, 0 where there is none."""
    return Step(_LAST_MESSAGE)


def nothing_open() -> Step:
    """Everything that came before the first key is encrypted now."""
    return Step(_NOTHING_OPEN)


def newest() -> Step:
    """The key that was made last."""
    return Step(_NEWEST)


# --- what is not encrypted yet, and what can no longer be read -----------------------------------------------------------------------


def _not_encrypted(table: Table) -> Any:
    lies_open = [
        table.c[place].is_(None) & (func.length(table.c[name]) > 0)
        for place, names in ENCRYPTED[table.name].items()
        for name in names
    ]
    return (
        select(table)
        .where(table.c.id > given_number("after"), or_(*lies_open))
        .order_by(table.c.id)
        .limit(given_number("most"))
    )


_NOT_ENCRYPTED: Final = {name: _not_encrypted(metadata.tables[name]) for name in ENCRYPTED}
# A message that was written under the key and has not arrived: it is written again.
_UNSENT_UNDER: Final = (
    update(outbox)
    .where(
        outbox.c.id.in_(
            select(outbox.c.id)
            .join(data_key, data_key.c.id == outbox.c.payload_key)
            .where(outbox.c.state.not_in(("delivered", "closed")), data_key.c.store_key == given("lost_key"))
        )
    )
    .values(payload=None, payload_key=None)
)
_OPEN_UNDER: Final = (
    select(session.c.site, session.c.id, session.c.link, func.count().label("frames"))
    .join(frame, (frame.c.site == session.c.site) & (frame.c.session == session.c.id))
    .join(data_key, data_key.c.id == frame.c.data_key)
    .where(session.c.closed_at.is_(None), data_key.c.store_key == given("lost_key"))
    .group_by(session.c.site, session.c.id, session.c.link)
)


def not_encrypted(table: Table, after: int, *, most: int) -> Step:
    """Rows whose bytes lie open, after a number."""
    return Step(_NOT_ENCRYPTED[table.name], {"after": after, "most": most})


def unwrite_under(name: str) -> Step:
    """What has not arrived anywhere, and is encrypted under this store key, is written again before it is sent."""
    return Step(_UNSENT_UNDER, {"lost_key": name})


def open_under(name: str) -> Step:
    """Sessions without an end whose frames are encrypted under this store key."""
    return Step(_OPEN_UNDER, {"lost_key": name})
