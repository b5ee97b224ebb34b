"""What is asked of the store about its archive: what has been moved there, what is in which piece, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select, update

from labmw.store.schema import archive_index, archive_move, archive_piece
from labmw.store.statements.words import given, given_numbers, given_texts, is_one_of
from labmw.store.transaction import Step

READABLE: Final = ("moved", "partly")
"""States of a piece whose file holds what the store does not, or not only."""

_numbers = given_numbers("numbers")
_PIECES: Final[tuple[Any, ...]] = (
    archive_piece.c.id, archive_piece.c.move, archive_piece.c["class"].label("of"), archive_piece.c.state, archive_piece.c.digest, archive_piece.c.size,
    archive_piece.c.rows, archive_piece.c.key, archive_piece.c.newest, archive_move.c.name, archive_move.c.kind, archive_move.c.last, archive_move.c.closed_at,
)  # fmt: skip
_of_move = archive_move.c.id == archive_piece.c.move

_MOVES: Final = select(archive_move).where(archive_move.c.site == given("site")).order_by(archive_move.c.id)
_WRITING: Final = (
    select(archive_move)
    .where(archive_move.c.site == given("site"), is_one_of(archive_move.c.state, "writing"))
    .order_by(archive_move.c.id)
)
_LAST: Final = (
    select(archive_move.c.manifest)
    .where(archive_move.c.site == given("site"), is_one_of(archive_move.c.state, "moved"))
    .order_by(archive_move.c.id.desc())
    .limit(1)
)
_ALL: Final = (
    select(*_PIECES)
    .join(archive_move, _of_move)
    .where(archive_piece.c.site == given("site"))
    .order_by(archive_piece.c.move, archive_piece.c.id)
)
_GOING: Final = (
    select(*_PIECES)
    .join(archive_move, _of_move)
    .where(archive_piece.c.site == given("site"), is_one_of(archive_piece.c.state, "destroying", "returning"))
    .order_by(archive_piece.c.id)
)
_AGED: Final = (
    select(*_PIECES)
    .join(archive_move, _of_move)
    .where(
        archive_piece.c.site == given("site"),
        archive_move.c.kind == given("kind"),
        is_one_of(archive_piece.c.state, *READABLE),
        archive_piece.c.newest < given("before"),
    )
    .order_by(archive_piece.c.id)
)
_NAMED: Final = (
    select(*_PIECES, archive_index.c.value)
    .join(archive_move, _of_move)
    .join(archive_index, archive_index.c.piece == archive_piece.c.id)
    .where(
        archive_index.c.site == given("site"),
        archive_index.c.kind == given("kind"),
        archive_index.c.value.in_(given_texts("values")),
        is_one_of(archive_piece.c.state, *READABLE),
    )
    .order_by(archive_piece.c.id)
)
_IN_PIECES: Final = (
    select(archive_index.c.piece, archive_index.c.value)
    .where(archive_index.c.piece.in_(_numbers), archive_index.c.kind == given("kind"))
    .order_by(archive_index.c.id)
)
_OF_MOVES: Final = (
    select(*_PIECES).join(archive_move, _of_move).where(archive_piece.c.move.in_(_numbers)).order_by(archive_piece.c.id)
)
_FORGET: Final = delete(archive_index).where(archive_index.c.piece.in_(_numbers))
_FORGET_ONE: Final = delete(archive_index).where(
    archive_index.c.piece.in_(_numbers), archive_index.c.kind == given("kind"), archive_index.c.value == given("value")
)
_LYING_OPEN: Final = select(func.count().label("count")).where(
    archive_piece.c.site == given("site"), is_one_of(archive_piece.c.state, *READABLE), archive_piece.c.key.is_(None)
)
_is_patient = is_one_of(archive_index.c.kind, "patient")
_other = archive_index.alias("other")
_THERE_TOO: Final = delete(archive_index).where(
    archive_index.c.site == given("of_site"),
    _is_patient,
    archive_index.c.value == given("was"),
    archive_index.c.piece.in_(
        select(_other.c.piece).where(
            _other.c.site == given("of_site"), is_one_of(_other.c.kind, "patient"), _other.c.value == given("becomes")
        )
    ),
)
_BECOMES: Final = (
    update(archive_index)
    .where(archive_index.c.site == given("of_site"), _is_patient, archive_index.c.value == given("was"))
    .values(value=given("becomes"))
    .returning(archive_index.c.id)
)


def moves(site: str) -> Step:
    """Every removal into the archive."""
    return Step(_MOVES, {"site": site})


def writing(site: str) -> Step:
    """Removals that were begun and have no end."""
    return Step(_WRITING, {"site": site})


def last_manifest(site: str) -> Step:
    """The digest of the newest manifest; no row before the first."""
    return Step(_LAST, {"site": site})


def pieces(site: str) -> Step:
    """Every piece, with what its removal says."""
    return Step(_ALL, {"site": site})


def going(site: str) -> Step:
    """Pieces whose files are to be removed."""
    return Step(_GOING, {"site": site})


def aged(site: str, kind: str, before: str) -> Step:
    """Pieces of what is nobody's, which all came before a moment."""
    return Step(_AGED, {"site": site, "kind": kind, "before": before})


def named(site: str, kind: str, values: Sequence[str]) -> Step:
    """Pieces in which one of these patients, tubes, tests or messages is; `value` says which."""
    return Step(_NAMED, {"site": site, "kind": kind, "values": list(values)})


def in_pieces(numbers: Sequence[int], kind: str) -> Step:
    """What of a kind is in these pieces."""
    return Step(_IN_PIECES, {"numbers": list(numbers), "kind": kind})


def of_moves(numbers: Sequence[int]) -> Step:
    """The pieces of these removals."""
    return Step(_OF_MOVES, {"numbers": list(numbers)})


def forget(numbers: Sequence[int]) -> Step:
    """Nothing is known any more of what is in these pieces."""
    return Step(_FORGET, {"numbers": list(numbers)})


def forget_one(numbers: Sequence[int], kind: str, value: str) -> Step:
    """One of those who are in these pieces is so no longer, as far as their time is concerned."""
    return Step(_FORGET_ONE, {"numbers": list(numbers), "kind": kind, "value": value})


def lying_open(site: str) -> Step:
    """How many pieces are not encrypted."""
    return Step(_LYING_OPEN, {"site": site})


def follows(site: str, was: str, becomes: str) -> list[Step]:
    """What is one patient's in the archive is another one's: two numbers were one person."""
    values = {"of_site": site, "was": was, "becomes": becomes}
    return [Step(_THERE_TOO, values), Step(_BECOMES, values)]
