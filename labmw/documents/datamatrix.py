"""Which modules stand for this text? Data Matrix ECC 200, square, in ASCII encodation with pairs of digits (ISO/IEC 16022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PAD = 129
_FIELD = 0x12D
"""GF(256) with x^8 + x^5 + x^3 + x^2 + 1 (ISO/IEC 16022, 5.7.1)."""


@dataclass(frozen=True, slots=True)
class _Size:
    """A square symbol: modules along a side, codewords of data and of correction, regions along a side, blocks (table 7)."""

    side: int
    data: int
    check: int
    regions: int = 1
    blocks: int = 1


_SIZES = (
    _Size(10, 3, 5), _Size(12, 5, 7), _Size(14, 8, 10), _Size(16, 12, 12), _Size(18, 18, 14), _Size(20, 22, 18), _Size(22, 30, 20), _Size(24, 36, 24),
    _Size(26, 44, 28), _Size(32, 62, 36, 2), _Size(36, 86, 42, 2), _Size(40, 114, 48, 2), _Size(44, 144, 56, 2), _Size(48, 174, 68, 2),
    _Size(52, 204, 84, 2, 2), _Size(64, 280, 112, 4, 2), _Size(72, 368, 144, 4, 4),
)  # fmt: skip


def datamatrix(text: str) -> list[list[bool]]:
    """The rows of the symbol from top to bottom, True for a dark module; the quiet zone of one module is not in it.

    Raises: ValueError for a character outside ASCII, and for more than 368 codewords.
    """
    words = _codewords(text)
    size = next((one for one in _SIZES if one.data >= len(words)), None)
    if size is None:
        raise ValueError(f"{len(text)} characters do not fit into a Data Matrix here: shorten the text")
    words = _padded(words, size.data)
    words += _correction(words, size)
    inner = size.side - 2 * size.regions
    placed = _placed(inner, words)
    return [list(row) for row in _framed(placed, size)]


def _codewords(text: str) -> list[int]:
    if not text.isascii():
        raise ValueError(f"{text!r} cannot be written in a Data Matrix here: use ASCII")
    data = text.encode("ascii")
    found: list[int] = []
    at = 0
    while at < len(data):
        if data[at : at + 2].isdigit() and at + 1 < len(data):
            found.append(130 + int(data[at : at + 2]))
            at += 2
            continue
        found.append(data[at] + 1)
        at += 1
    return found


def _padded(words: Sequence[int], length: int) -> list[int]:
    """The first pad as it is, further ones scattered (annex B.1)."""
    found = list(words)
    if len(found) < length:
        found.append(_PAD)
    while len(found) < length:
        scattered = _PAD + (149 * (len(found) + 1)) % 253 + 1
        found.append(scattered if scattered <= 254 else scattered - 254)
    return found


# --- Reed-Solomon -------------------------------------------------------------------------------------------------------------------


def _powers() -> tuple[list[int], list[int]]:
    exp, log, value = [0] * 255, [0] * 256, 1
    for power in range(255):
        exp[power], log[value] = value, power
        value <<= 1
        value ^= _FIELD if value & 256 else 0
    return exp, log


_EXP, _LOG = _powers()


def _product(one: int, other: int) -> int:
    return _EXP[(_LOG[one] + _LOG[other]) % 255] if one and other else 0


def _generator(degree: int) -> list[int]:
    """The coefficients below the leading one, the highest first."""
    found = [1]
    for power in range(1, degree + 1):
        root = _EXP[power % 255]
        shifted = [*found, 0]
        for place, value in enumerate(found):
            shifted[place + 1] ^= _product(value, root)
        found = shifted
    return found[1:]


def _correction(words: Sequence[int], size: _Size) -> list[int]:
    """The codewords of correction, those of several blocks in turn."""
    degree = size.check // size.blocks
    generator = _generator(degree)
    found = [0] * size.check
    for block in range(size.blocks):
        rest = [0] * degree
        for word in words[block :: size.blocks]:
            factor = word ^ rest[0]
            rest = [*rest[1:], 0]
            rest = [value ^ _product(factor, one) for value, one in zip(rest, generator, strict=True)]
        found[block :: size.blocks] = rest
    return found


# --- placement (annex F) ------------------------------------------------------------------------------------------------------------

_UTAH = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))
"""Where the bits of a codeword stand about its place, the highest first."""


def _broken(side: int, row: int, column: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """The codewords that a corner of the symbol breaks up, when the walk comes by it."""
    end = side - 1
    if row == side and column == 0:
        yield ((end, 0), (end, 1), (end, 2), (0, end - 1), (0, end), (1, end), (2, end), (3, end))
    if row == side - 2 and column == 0 and side % 4:
        yield ((end - 2, 0), (end - 1, 0), (end, 0), (0, end - 3), (0, end - 2), (0, end - 1), (0, end), (1, end))
    if row == side - 2 and column == 0 and side % 8 == 4:
        yield ((end - 2, 0), (end - 1, 0), (end, 0), (0, end - 1), (0, end), (1, end), (2, end), (3, end))
    if row == side + 4 and column == 2 and not side % 8:
        yield ((end, 0), (end, end), (0, end - 2), (0, end - 1), (0, end), (1, end - 2), (1, end - 1), (1, end))


def _places(side: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """The modules of each codeword in turn."""
    taken: set[tuple[int, int]] = set()
    row, column = 4, 0
    while row < side or column < side:
        for corner in _broken(side, row, column):
            taken.update(corner)
            yield corner
        for step, shift in (((-2, 2), (1, 3)), ((2, -2), (3, 1))):
            while True:
                inside = row < side and column >= 0 if step == (-2, 2) else row >= 0 and column < side
                if inside and (row, column) not in taken:
                    modules = tuple(_wrapped(row + down, column + right, side) for down, right in _UTAH)
                    taken.update(modules)
                    yield modules
                row, column = row + step[0], column + step[1]
                if not (row >= 0 and column < side if step == (-2, 2) else row < side and column >= 0):
                    break
            row, column = row + shift[0], column + shift[1]


def _wrapped(row: int, column: int, side: int) -> tuple[int, int]:
    if row < 0:
        row, column = row + side, column + 4 - (side + 4) % 8
    if column < 0:
        row, column = row + 4 - (side + 4) % 8, column + side
    return row, column


def _placed(side: int, words: Sequence[int]) -> dict[tuple[int, int], bool]:
    found: dict[tuple[int, int], bool] = {}
    for word, modules in zip(words, _places(side), strict=True):
        for bit, module in enumerate(modules):
            found[module] = bool(word >> (7 - bit) & 1)
    if (side - 1, side - 1) not in found:  # sizes whose modules are no multiple of eight leave this corner
        found[side - 1, side - 1] = found[side - 2, side - 2] = True
    return found


def _framed(placed: dict[tuple[int, int], bool], size: _Size) -> Iterator[list[bool]]:
    """Each region with its border: dark to the left and below, alternating above and to the right."""
    region = size.side // size.regions
    for y in range(size.side):
        line = []
        for x in range(size.side):
            row, column = y % region, x % region
            if column == 0 or row == region - 1:
                line.append(True)
            elif row == 0:
                line.append(column % 2 == 0)
            elif column == region - 1:
                line.append(row % 2 == 1)
            else:
                line.append(placed.get((y - 1 - 2 * (y // region), x - 1 - 2 * (x // region)), False))
        yield line
