"""The worklist of the analyzers that are told what to do: orders, AWOS, tubes on racks, tubes to be presented again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import (
    Integer,
    Table,
    Update,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as row_or_conflict

from labmw.store.schema import awos, awos_result, message, order, re_present, result, tube_place
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_not, is_one_of
from labmw.store.together import AMONG
from labmw.store.transaction import Step

LIVE: Final = ("planned", "broadcast", "accepted", "in-process")
"""States of an AWOS that the analyzer may still work on, or be given."""


KEPT_BACK: Final = ("tube-qc-out", "tube-qc-elsewhere", "tube-qc-back")
"""Why a tube is to be presented, for a test whose control failed: here, on the analyzer that was to do it, or here and it passes again."""
AGAIN: Final = "tube-again"
"""Why a tube is to be presented: one of its tests is to be measured once more here, and the analyzer learns of it when it asks."""
ON_ITS_LINE: Final = (*KEPT_BACK, AGAIN)
"""Reasons that end on the line that they name, wherever else the tube is seen."""


_OF_ORDERS: Final = select(awos).where(awos.c.order.in_(given_numbers("orders"))).order_by(awos.c.id)
_NAMED: Final = (
    select(awos)
    .where(awos.c.site == given("site"), awos.c.awos.in_(given_texts("names")))
    .execution_options(**{AMONG: ("names", "awos")})
)
_OF_SPECIMEN: Final = (
    select(awos).where(awos.c.site == given("site"), awos.c.specimen == given("specimen")).order_by(awos.c.id)
)
_OF_MESSAGE: Final = (
    select(awos)
    .where(awos.c.site == given("site"), awos.c.control_id == given("control_id"), is_not(awos.c.control_id, ""))
    .order_by(awos.c.id)
)
_wanted = awos.c.wanted != bindparam(None, "", literal_execute=True)
_WANTED: Final = (
    select(awos)
    .where(awos.c.site == given("site"), awos.c.link == given("link"), _wanted)
    .order_by(awos.c.id)
    .limit(given_number("most"))
)
_waits = awos.c.waits == bindparam(None, 1, type_=Integer(), literal_execute=True)
_WAITING: Final = (
    select(awos).where(awos.c.site == given("site"), awos.c.link == given("link"), _waits).order_by(awos.c.id)
)
_committed = awos.c.waits == bindparam(None, 2, type_=Integer(), literal_execute=True)
_COMMITTED: Final = (
    select(awos).where(awos.c.site == given("site"), awos.c.link == given("link"), _committed).order_by(awos.c.id)
)
_CONTROLS_PLANNED: Final = (
    select(awos.c.specimen)
    .where(
        awos.c.site == given("site"),
        awos.c.link == given("link"),
        awos.c.order.is_(None),
        is_one_of(awos.c.state, "planned", "broadcast"),
    )
    .distinct()
    .order_by(awos.c.specimen)
)
_SENT_MESSAGE: Final = select(message.c.id, message.c.raw, message.c.kind).where(
    message.c.site == given("site"),
    message.c.link == given("link"),
    message.c.control_id == given("control_id"),
    is_not(message.c.control_id, ""),
    message.c.direction == "<",
)
_SINCE: Final = (
    select(order)
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),  # for the index; the next line is exact
        or_(order.c.updated_at > given("since"), order.c.id > given_number("after")),
    )
    .order_by(order.c.updated_at, order.c.id)
    .limit(given_number("most"))
)
_OPEN: Final = (
    select(order)
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),
        is_one_of(order.c.state, "open"),
        ~select(awos.c.id).where(awos.c.order == order.c.id, awos.c.link == given("link")).exists(),
    )
    .order_by(order.c.updated_at, order.c.id)
    .limit(given_number("most"))
)
_OPEN_OF_TESTS: Final = (
    select(order)
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),
        is_one_of(order.c.state, "open"),
        order.c.loinc.in_(given_texts("tests")),
        order.c.id > given_number("after"),
    )
    .order_by(order.c.id)
    .limit(given_number("most"))
)
_TAKEN_BACK: Final = (
    select(awos.c.loinc)
    .join(order, order.c.id == awos.c.order)
    .where(order.c.site == given("site"), is_one_of(order.c.state, "open"), awos.c.reason == given("reason"))
    .distinct()
)
_LAST_ORDER: Final = select(func.max(order.c.updated_at).label("at")).where(order.c.site == given("site"))
_DONE: Final = (
    update(order)
    .where(
        order.c.site == given("of_site"),
        order.c.specimen == given("tube"),
        order.c.loinc.in_(given_texts("loincs")),
        order.c.state == "open",
    )
    .values(state="done")
    .returning(order.c.id)
)
_LOAD: Final = (
    select(awos.c.link, func.count().label("count"))
    .select_from(order.join(awos, awos.c.order == order.c.id))
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),
        order.c.state == "open",
        is_one_of(awos.c.state, *LIVE),
    )
    .group_by(awos.c.link)
)
_OTHERS: Final = select(awos).where(
    awos.c.order.in_(given_numbers("orders")), awos.c.link != given("link"), is_one_of(awos.c.state, *LIVE)
)
_TUBES: Final = (
    select(tube_place)
    .where(
        tube_place.c.site == given("site"),
        tube_place.c.kind == given("kind"),
        tube_place.c.carrier == given("carrier"),
        or_(given("position") == "", tube_place.c.position == given("position")),
        tube_place.c.seen_at >= given("since"),
    )
    .order_by(tube_place.c.position, tube_place.c.id)
)
_ASKED_AGAIN: Final = (
    row_or_conflict(re_present)
    .on_conflict_do_update(
        index_elements=("site", "link", "specimen"),
        set_={
            "reason": row_or_conflict(re_present).excluded.reason,
            "asked_at": row_or_conflict(re_present).excluded.asked_at,
            "times": re_present.c.times + 1,
            "closed_at": None,
        },
    )
    .returning(re_present.c.id)
)
_PRESENTED: Final = (
    update(re_present)
    .where(
        re_present.c.site == given("of_site"),
        re_present.c.specimen == given("tube"),
        or_(re_present.c.link == given("of_link"), re_present.c.reason.not_in(ON_ITS_LINE)),
        re_present.c.closed_at.is_(None),
    )
    .values(closed_at=given("at"))
    .returning(re_present.c.id)
)
_TO_PRESENT: Final = (
    select(re_present)
    .where(
        re_present.c.site == given("site"),
        re_present.c.closed_at.is_(None),
        or_(
            re_present.c.reason.not_in(ON_ITS_LINE),
            and_(
                re_present.c.reason == AGAIN,
                exists().where(
                    awos.c.site == re_present.c.site,
                    awos.c.link == re_present.c.link,
                    awos.c.specimen == re_present.c.specimen,
                    is_one_of(awos.c.state, "planned"),
                ),
            ),
            and_(
                re_present.c.reason != AGAIN,
                exists().where(
                    order.c.site == re_present.c.site,
                    order.c.specimen == re_present.c.specimen,
                    is_one_of(order.c.state, "open"),
                ),
            ),
        ),
    )
    .order_by(re_present.c.asked_at, re_present.c.id)
)
_TO_PRESENT_OF: Final = _TO_PRESENT.where(re_present.c.specimen == given("specimen"))
_ORDERED_TESTS: Final = (
    select(order).where(order.c.site == given("site"), order.c.specimen == given("specimen")).order_by(order.c.id)
)
_RESULTS: Final = (
    select(
        awos_result.c.awos, awos_result.c.status, result.c.id, result.c.code, result.c.run, result.c.value,
        result.c.unit_raw, result.c.state, result.c.received_at,
    )
    .join(result, result.c.id == awos_result.c.result)
    .where(awos_result.c.site == given("site"), awos_result.c.awos.in_(given_numbers("numbers")))
    .order_by(awos_result.c.id)
)  # fmt: skip


def awos_of_orders(orders: Sequence[int]) -> Step:
    """The AWOS made for these orders, on every analyzer, oldest first."""
    return Step(_OF_ORDERS, {"orders": list(orders)})


def awos_named(site: str, names: Sequence[str]) -> Step:
    """The AWOS of these identities (OBR-2)."""
    return Step(_NAMED, {"site": site, "names": list(names)})


def awos_of_specimen(site: str, specimen: str) -> Step:
    """Every AWOS of one tube, oldest first."""
    return Step(_OF_SPECIMEN, {"site": site, "specimen": specimen})


def awos_of_message(site: str, control_id: str) -> Step:
    """The AWOS that our message of this number was the last to speak of."""
    return Step(_OF_MESSAGE, {"site": site, "control_id": control_id})


def awos_wanted(site: str, link: str, *, most: int) -> Step:
    """The AWOS of which the analyzer is still to be told something, oldest first."""
    return Step(_WANTED, {"site": site, "link": link, "most": most})


def awos_waiting(site: str, link: str) -> Step:
    """The AWOS whose message has no reply yet."""
    return Step(_WAITING, {"site": site, "link": link})


def awos_committed(site: str, link: str) -> Step:
    """The AWOS whose message the analyzer has stored (CA) and not replied to."""
    return Step(_COMMITTED, {"site": site, "link": link})


def controls_planned(site: str, link: str) -> Step:
    """The controls that an analyzer is to measure and is not known to have been told of: `specimen`."""
    return Step(_CONTROLS_PLANNED, {"site": site, "link": link})


def sent_message(site: str, link: str, control_id: str) -> Step:
    """Our own message of this number: `id`, `raw` and `kind`."""
    return Step(_SENT_MESSAGE, {"site": site, "link": link, "control_id": control_id})


def orders_since(site: str, since: str, after: int, *, most: int) -> Step:
    """Orders new or changed since a moment, oldest change first; of those of that very moment, the ones after a row."""
    return Step(_SINCE, {"site": site, "since": since, "after": after, "most": most})


def orders_not_given(site: str, link: str, *, since: str, most: int) -> Step:
    """Open orders, changed since a moment, of which the analyzer on this line has no AWOS yet."""
    return Step(_OPEN, {"site": site, "link": link, "since": since, "most": most})


def open_of_tests(site: str, tests: Sequence[str], *, since: str, after: int, most: int) -> Step:
    """Open orders of these tests, changed since a moment: so many after a row."""
    return Step(_OPEN_OF_TESTS, {"site": site, "tests": list(tests), "since": since, "after": after, "most": most})


def tests_taken_back(site: str, reason: str) -> Step:
    """The tests of open orders of which an AWOS was taken back for a reason: `loinc`."""
    return Step(_TAKEN_BACK, {"site": site, "reason": reason})


def last_order(site: str) -> Step:
    """One row: when the order feed last said something (`at`), NULL when never."""
    return Step(_LAST_ORDER, {"site": site})


def orders_done(site: str, specimen: str, loincs: Sequence[str]) -> Step:
    """These tests of a tube have a result: nobody is to measure them again unless asked; answers the orders that were open."""
    return Step(_DONE, {"of_site": site, "tube": specimen, "loincs": list(loincs)})


def live_by_link(site: str, *, since: str) -> Step:
    """How many tests of orders changed since a moment each analyzer has to do: `link` and `count`."""
    return Step(_LOAD, {"site": site, "since": since})


def others_live(orders: Sequence[int], link: str) -> Step:
    """What other analyzers still have of these orders (LAW-001)."""
    return Step(_OTHERS, {"orders": list(orders), "link": link})


def tubes_on(site: str, kind: str, carrier: str, position: str, *, since: str) -> Step:
    """The tubes last seen on a rack or tray; `position` "" for all of it."""
    where = {"kind": kind, "carrier": carrier, "position": position}
    return Step(_TUBES, {"site": site, "since": since} | where)


def present_again(site: str, link: str, specimen: str, reason: str, at: str) -> Step:
    """Put a tube on the list of those to be presented again, or count that it was presented in vain once more."""
    row = {"site": site, "link": link, "specimen": specimen, "reason": reason, "asked_at": at}
    return Step(_ASKED_AGAIN, row)


def presented(site: str, link: str, specimen: str, at: str) -> Step:
    """Take a tube off that list: on the line where it is, and wherever nobody could say what was to be done."""
    return Step(_PRESENTED, {"of_site": site, "of_link": link, "tube": specimen, "at": at})


def to_present(site: str) -> Step:
    """The tubes to be presented again, longest waiting first; for a test whose control failed only as long as something of them is open."""
    return Step(_TO_PRESENT, {"site": site})


def to_present_of(site: str, specimen: str) -> Step:
    """The lines on which one tube is to be presented again."""
    return Step(_TO_PRESENT_OF, {"site": site, "specimen": specimen})


def ordered_tests(site: str, specimen: str) -> Step:
    """Every test ever ordered on a tube."""
    return Step(_ORDERED_TESTS, {"site": site, "specimen": specimen})


def results_of_awos(site: str, numbers: Sequence[int]) -> Step:
    """What these AWOS (row numbers) have brought."""
    return Step(_RESULTS, {"site": site, "numbers": list(numbers)})


def change(table: Table, number: int, /, **values: object) -> Step:
    """Set columns of one row; answers its `id`."""
    return Step(
        _change(table, tuple(values)), {**{f"new_{name}": value for name, value in values.items()}, "row_id": number}
    )


@lru_cache(maxsize=128)
def _change(table: Table, names: tuple[str, ...]) -> Update:
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(table.c.id == given_number("row_id")).values(**new).returning(table.c.id)
