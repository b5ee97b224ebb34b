"""What does a query ask for? One tube, a list, a range, or everything; or it takes an earlier query back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from labmw.driver import places
from labmw.driver.declaration import Driver
from labmw.driver.ordering import OrderDialect
from protocols.astm.message import Message
from protocols.astm.record import Record

ALL = "ALL"
_PLAIN = OrderDialect()
MOST = 200  # tubes named by one query; an analyzer's rack holds ten, its tray some hundred


class What(Enum):
    """What kind of query it is."""

    TUBES = "tubes"
    RANGE = "range"
    ALL = "all"
    ABORT = "abort"
    UNSERVED = "unserved"  # cannot be served, `why` says why


@dataclass(frozen=True, slots=True)
class Named:
    """One tube that is asked for: its identifier, the same as the analyzer wrote it, and the components of Q.3 that named it."""

    identifier: str
    written: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One query. `tests` are the codes that it is narrowed to, none for all; `first` and `last` are the ends of a range."""

    what: What
    tubes: tuple[Named, ...] = ()
    tests: frozenset[str] = frozenset()
    first: str = ""
    last: str = ""
    why: str = ""  # of UNSERVED: the code of a phrase


def asked(message: Message, driver: Driver) -> Asked | None:
    """What a message asks for; None when it holds no query. Several Q records ask for the tubes of all of them.

    A query that names no tube, asks for results, or holds what cannot be one query, is unserved: it is never widened to everything.
    """
    if message.fault is not None:
        return None
    queries = [record for record in message.records if record.type == "Q"]
    if not queries:
        return None
    each = [_one(record, driver, driver.orders or OrderDialect()) for record in queries]
    if len(each) == 1:
        return each[0]
    if all(one.what is What.ABORT for one in each):
        return Asked(What.ABORT, tuple(tube for one in each for tube in one.tubes))
    odd = next((one for one in each if one.what is not What.TUBES), None)
    if odd is not None:
        return Asked(What.UNSERVED, why=odd.why or "query-mixed")
    if len({one.tests for one in each}) > 1:
        return Asked(What.UNSERVED, why="query-mixed")
    return _tubes([tube for one in each for tube in one.tubes], each[0].tests)


def _one(record: Record, driver: Driver, dialect: OrderDialect) -> Asked:
    named = _named(record, driver, driver.query.field)
    statuses = {one.strip().upper() for one in record.repeats(13)}
    if statuses & dialect.aborted:
        return Asked(What.ABORT, tuple(one for one in named if one.identifier != dialect.everything))
    if not statuses <= dialect.wanted:
        return Asked(What.UNSERVED, why="query-for-results")
    codes = frozenset(places.ordered(text, record.delimiters, driver) for text in record.repeats(5) if text)
    tests = frozenset() if "ALL" in codes else codes - {""}
    last = _named(record, driver, 4)
    if last:
        if len(named) != 1 or len(last) != 1:
            return Asked(What.UNSERVED, why="query-mixed")
        first, end = named[0].identifier, last[0].identifier
        if not (first.isascii() and first.isdecimal() and end.isascii() and end.isdecimal() and len(first) == len(end)):
            return Asked(What.UNSERVED, why="query-range")  # nobody can say what lies between
        if first > end:
            return Asked(What.UNSERVED, why="query-range")
        return Asked(What.RANGE, tests=tests, first=first, last=end)
    everything = {one.identifier for one in named} == {dialect.everything}
    if everything or record.field(3).strip() == dialect.everything:
        return Asked(What.ALL, tests=tests)
    return _tubes([one for one in named if one.identifier != dialect.everything], tests)


def _tubes(named: Sequence[Named], tests: frozenset[str]) -> Asked:
    tubes = tuple({one.identifier: one for one in named}.values())  # asked for twice is asked for once
    if not tubes:
        return Asked(What.UNSERVED, why="query-without-tube")
    if len(tubes) > MOST:
        return Asked(What.UNSERVED, why="query-too-long")
    return Asked(What.TUBES, tubes, tests)


def _named(record: Record, driver: Driver, number: int) -> list[Named]:
    """The tubes that a field names, repeat by repeat.

    In a list the place of the identifier may be left out from the second on: what stands alone is an identifier (Erba XL, as captured).
    """
    found: list[Named] = []
    for place, text in enumerate(record.repeats(number)):
        parts = places.cut(text, record.delimiters)
        written = parts[0] if len(parts) == 1 and place else places.pick(parts, driver.query)
        everything = written.strip() == ALL or (driver.orders or _PLAIN).everything == written.strip()
        identifier = written.strip() if everything else driver.tube.read(written)
        if identifier:
            found.append(Named(identifier, written, parts))
    return found
