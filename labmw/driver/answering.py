"""What is a query answered? From what it asks for and what is known to be done: the very records, or why there are none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from labmw.driver.asking import Asked, What
from labmw.driver.declaration import Driver
from labmw.driver.order_writing import (
    Occasion,
    Work,
    dialect_of,
    write_no_work,
    write_orders,
    write_unable,
)
from protocols.astm.message import Message


class Said(StrEnum):
    """What an answer says."""

    WORK = "work"
    NO_WORK = "no-work"
    UNABLE = "unable"  # the query cannot be served, or not now
    NOTHING = "nothing"  # no answer is due: the query was taken back


@dataclass(frozen=True, slots=True)
class Answer:
    """The messages of one answer, in order. `again` are the tubes to be presented again, `why` the code of a phrase.

    UNABLE without a message is silence: the family knows no word for it, and ends its query by itself.
    """

    said: Said
    messages: tuple[Message, ...] = ()
    works: tuple[tuple[Work, ...], ...] = ()  # what each message orders
    again: tuple[str, ...] = ()
    why: str = ""


def answer(driver: Driver, occasion: Occasion, asked: Asked, found: Sequence[Work], *, fresh: bool) -> Answer:
    """The answer to a query. `found` is the work known for what it asks for; `fresh`: nothing more is known to the laboratory.

    "No work" is said only while orders are fresh: else the tubes without work are to be presented again (law: never a guess).

    Raises:
        DriverError: as order_writing.
    """
    if asked.what is What.ABORT:
        return Answer(Said.NOTHING, why="query-taken-back")
    if asked.what is What.UNSERVED:
        return unable(driver, occasion, (), asked.why)
    works = [_placed(work, asked) for work in found]
    works = [work for work in works if work.tests]
    known = {work.specimen for work in works}
    without = [Work(one.identifier, written=one.written, parts=one.parts) for one in asked.tubes]
    without = [work for work in without if work.specimen not in known]
    again = () if fresh else tuple(work.specimen for work in without)
    if works:
        most = dialect_of(driver).most or len(works)
        groups = [tuple(works[start : start + most]) for start in range(0, len(works), most)]
        messages = tuple(write_orders(driver, occasion, group, asked=True) for group in groups)
        return Answer(Said.WORK, messages, tuple(groups), again, "order-feed-stale" if again else "")
    if not fresh:
        return unable(driver, occasion, again, "order-feed-stale")
    return Answer(Said.NO_WORK, (write_no_work(driver, occasion, without),))


def unable(driver: Driver, occasion: Occasion, again: Sequence[str], why: str) -> Answer:
    """The answer to a query that cannot be served. Raises DriverError."""
    message = write_unable(driver, occasion)
    return Answer(Said.UNABLE, (message,) if message else (), ((),) if message else (), tuple(again), why)


def _placed(work: Work, asked: Asked) -> Work:
    """The work of a tube as the query names it, without the tests that it does not ask for."""
    named = next((one for one in asked.tubes if one.identifier == work.specimen), None)
    tests = tuple(test for test in work.tests if not asked.tests or test.code in asked.tests)
    if named is None:
        return replace(work, tests=tests)
    return replace(work, tests=tests, written=named.written, parts=named.parts)
