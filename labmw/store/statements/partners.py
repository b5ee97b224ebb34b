"""What is asked of the store about what partners exchange beside sub-orders: boxes of tubes, catalogues, files."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update

from labmw.store.schema import box, box_tube, catalogue_entry, partner_file, sub_order
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_IN_BOX: Final = select(sub_order).where(sub_order.c.box == given_number("of_box")).order_by(sub_order.c.id)
# --- boxes ----------------------------------------------------------------------------------------------------------------------

_BOXES: Final = select(box).where(box.c.site == given("site"), box.c.partner == given("partner")).order_by(box.c.id)
_TUBES: Final = select(box_tube).where(box_tube.c.box == given_number("of_box")).order_by(box_tube.c.id)


def boxes_of(site: str, partner: str) -> Step:
    """The boxes to a partner."""
    return Step(_BOXES, {"site": site, "partner": partner})


_NUMBERED: Final = (
    select(box)
    .where(box.c.site == given("site"), is_one_of(box.c.direction, "in"), box.c.number == given("named"))
    .order_by(box.c.id)
)
_BOX: Final = select(box).where(box.c.id == given_number("of_box"))
_COMING: Final = (
    select(box)
    .where(box.c.site == given("site"), is_one_of(box.c.direction, "in"), is_one_of(box.c.state, "announced"))
    .order_by(box.c.id)
)
_NAMED: Final = (
    select(box_tube, box.c.partner)
    .join(box, box.c.id == box_tube.c.box)
    .where(box_tube.c.site == given("site"), box_tube.c.specimen == given("specimen"), box.c.direction == "in")
    .order_by(box_tube.c.id)
)
_LISTED: Final = _NAMED.where(box_tube.c.state != "unexpected")
_UNASKED: Final = _NAMED.where(box_tube.c.state == "unexpected", box.c.partner == given("partner"))
_PACKED: Final = (
    select(box_tube, box.c.partner, box.c.number)
    .join(box, box.c.id == box_tube.c.box)
    .where(
        box_tube.c.site == given("site"),
        box_tube.c.specimen == given("specimen"),
        box.c.direction == "out",
        box_tube.c.state == "packed",
    )
    .order_by(box_tube.c.id)
)


def boxes_numbered(site: str, named: str) -> Step:
    """The boxes of requesters under a number of theirs."""
    return Step(_NUMBERED, {"site": site, "named": named})


def box_of(box_: int) -> Step:
    """One box."""
    return Step(_BOX, {"of_box": box_})


def boxes_coming(site: str) -> Step:
    """The boxes of requesters that are not all here."""
    return Step(_COMING, {"site": site})


def tubes_coming(site: str, specimen: str) -> Step:
    """A tube on the lists of requesters, wherever they name it."""
    return Step(_LISTED, {"site": site, "specimen": specimen})


def came_unasked(site: str, partner: str, specimen: str) -> Step:
    """A tube that came before anybody asked for it."""
    return Step(_UNASKED, {"site": site, "partner": partner, "specimen": specimen})


def packed(site: str, specimen: str) -> Step:
    """A tube in boxes that leave, each with `partner` and the box's `number`."""
    return Step(_PACKED, {"site": site, "specimen": specimen})


def tubes_in(box_: int) -> Step:
    """The tubes of a box."""
    return Step(_TUBES, {"of_box": box_})


def sub_orders_in(box_: int) -> Step:
    """The sub-orders whose tubes are in a box."""
    return Step(_IN_BOX, {"of_box": box_})


# --- catalogues -----------------------------------------------------------------------------------------------------------------

_ENTRIES: Final = (
    select(catalogue_entry)
    .where(
        catalogue_entry.c.site == given("site"),
        catalogue_entry.c.partner == given("partner"),
        catalogue_entry.c.valid_from <= given("at"),
        (catalogue_entry.c.valid_to.is_(None)) | (catalogue_entry.c.valid_to > given("at")),
    )
    .order_by(catalogue_entry.c.code, catalogue_entry.c.loinc, catalogue_entry.c.id)
)
_VERSIONS: Final = (
    select(
        catalogue_entry.c.partner, catalogue_entry.c.version, func.min(catalogue_entry.c.valid_from).label("valid_from"),
        func.max(catalogue_entry.c.valid_to).label("valid_to"), func.count().label("entries"),
    )
    .where(catalogue_entry.c.site == given("site"))
    .group_by(catalogue_entry.c.partner, catalogue_entry.c.version)
    .order_by(catalogue_entry.c.partner, func.min(catalogue_entry.c.valid_from))
)  # fmt: skip
_ENDS: Final = (
    update(catalogue_entry)
    .where(
        catalogue_entry.c.site == given("of_site"),
        catalogue_entry.c.partner == given("of_partner"),
        catalogue_entry.c.version != given("but"),
        (catalogue_entry.c.valid_to.is_(None)) | (catalogue_entry.c.valid_to > given("at")),
    )
    .values(valid_to=given("at"))
    .returning(catalogue_entry.c.id)
)


def catalogue_at(site: str, partner: str, at: str) -> Step:
    """What a partner's catalogue says at a moment."""
    return Step(_ENTRIES, {"site": site, "partner": partner, "at": at})


def catalogue_versions(site: str) -> Step:
    """The versions of every partner's catalogue."""
    return Step(_VERSIONS, {"site": site})


def end_catalogue(site: str, partner: str, but: str, at: str) -> Step:
    """The other versions of a catalogue are valid until a moment."""
    return Step(_ENDS, {"of_site": site, "of_partner": partner, "but": but, "at": at})


# --- files ----------------------------------------------------------------------------------------------------------------------

_FILES: Final = (
    select(partner_file)
    .where(partner_file.c.site == given("site"), partner_file.c.partner == given("partner"))
    .order_by(partner_file.c.id)
)
_OUT: Final = select(partner_file).where(
    partner_file.c.site == given("site"), partner_file.c.partner == given("partner"), partner_file.c.direction == "out"
)
_LAID: Final = _OUT.where(partner_file.c.detail == given("detail"))
_LAST: Final = _OUT.order_by(partner_file.c.id.desc()).limit(1)
_SAME_FILE: Final = (
    select(partner_file)
    .where(
        partner_file.c.site == given("site"),
        partner_file.c.partner == given("partner"),
        partner_file.c.digest == given("digest"),
        partner_file.c.direction == "in",
    )
    .order_by(partner_file.c.id)
)


def files_of(site: str, partner: str) -> Step:
    """The files exchanged with a partner."""
    return Step(_FILES, {"site": site, "partner": partner})


def same_file(site: str, partner: str, digest: str) -> Step:
    """The files of a partner with these very bytes."""
    return Step(_SAME_FILE, {"site": site, "partner": partner, "digest": digest})


def file_laid(site: str, partner: str, detail: str) -> Step:
    """The file of ours that holds a message (`detail` is its MSH-10)."""
    return Step(_LAID, {"site": site, "partner": partner, "detail": detail})


def last_file(site: str, partner: str) -> Step:
    """The newest file of ours for a partner."""
    return Step(_LAST, {"site": site, "partner": partner})
