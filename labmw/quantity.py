"""How a text becomes a number: exact decimals with a comparator and a UCUM unit, or nothing at all (law 10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from labmw.errors import QuantityError

MAX_DIGITS = 30  # more digits than any analyzer has; a longer text is not a measurement


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number, what stands before it (`<`, `>`, `<=`, `>=` or nothing) and its UCUM unit ("" for none)."""

    number: Decimal
    comparator: str = ""
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.comparator}{self.number:f} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How one analyzer writes numbers; what does not fit is refused, never guessed.

    `decimal` is the decimal mark; a family whose software language decides between two declares both (`".,"`), and then no grouping mark.
    `thousands` is the grouping mark, "" when the analyzer uses none. `decimals` is the most digits ever written behind the mark, where the
    family has a bound: it tells 60,96 from 161,152. `exponent` allows `3.26E+05`.
    """

    decimal: str = "."
    thousands: str = ""
    exponent: bool = False
    decimals: int | None = None

    def __post_init__(self) -> None:
        if self.thousands and (self.thousands in self.decimal or len(self.decimal) > 1):
            raise QuantityError(
                f"decimal mark {self.decimal!r} and grouping mark {self.thousands!r} cannot be told apart; declare one decimal mark and another grouping mark"
            )


PLAIN = NumberFormat()
_COMPARATOR = re.compile(r"\s*(<=|>=|<|>|≤|≥)?\s*")
_NORMAL = {"≤": "<=", "≥": ">="}


@lru_cache(maxsize=64)
def _pattern(form: NumberFormat) -> re.Pattern[str]:
    mark = f"[{re.escape(form.decimal)}]"
    places = rf"\d{{0,{form.decimals}}}" if form.decimals is not None else r"\d*"
    some = rf"\d{{1,{form.decimals}}}" if form.decimals else r"\d+"
    whole = rf"(?:\d{{1,3}}(?:{re.escape(form.thousands)}\d{{3}})+|\d+)" if form.thousands else r"\d+"
    exponent = r"(?:[Ee][+-]?\d{1,2})?" if form.exponent else ""
    return re.compile(rf"[+-]?(?:{whole}(?:{mark}{places})?|{mark}{some}){exponent}", re.ASCII)


def read_number(text: str, form: NumberFormat = PLAIN) -> tuple[str, Decimal] | None:
    """Read a comparator and an exact decimal; None when the text is not a number in this format.

    `"< 40"` is ("<", 40). `"7,41"` is None in the plain format: an analyzer with a decimal comma declares it.
    """
    match = _COMPARATOR.match(text)
    start = match.end() if match else 0
    comparator = (match.group(1) or "") if match else ""
    body = text[start:].rstrip()
    if not body or len(body) > MAX_DIGITS or not _pattern(form).fullmatch(body):
        return None
    if form.thousands:
        body = body.replace(form.thousands, "")
    for mark in form.decimal:
        body = body.replace(mark, ".")
    return _NORMAL.get(comparator, comparator), Decimal(body)


# Unit strings that analyzers and French laboratories write, each with the UCUM code it stands for. Looked up before
# anything else: a UCUM library reads G/L as gauss per litre and T/L as tesla per litre (spec: rules §3.5, measured).
UNIT_ALIASES: dict[str, str] = {
    "G/L": "10*9/L", "Giga/L": "10*9/L", "10^9/L": "10*9/L", "x10^9/L": "10*9/L", "10E9/L": "10*9/L", "10e9/L": "10*9/L",
    "10*9/L": "10*9/L", "10^3/uL": "10*3/uL", "10E3/uL": "10*3/uL", "10*3/uL": "10*3/uL", "x10^3/uL": "10*3/uL",
    "10^3/mm3": "10*3/mm3", "10E3/mm3": "10*3/mm3",
    "T/L": "10*12/L", "Tera/L": "10*12/L", "10^12/L": "10*12/L", "x10^12/L": "10*12/L", "10E12/L": "10*12/L", "10*12/L": "10*12/L",
    "10^6/uL": "10*6/uL", "10E6/uL": "10*6/uL", "10*6/uL": "10*6/uL", "x10^6/uL": "10*6/uL", "10^6/mm3": "10*6/mm3", "10E6/mm3": "10*6/mm3",
    "UI/L": "[IU]/L", "IU/L": "[IU]/L", "mUI/L": "m[IU]/L", "mIU/L": "m[IU]/L", "UI/mL": "[IU]/mL", "IU/mL": "[IU]/mL",
    "uIU/mL": "u[IU]/mL", "µIU/mL": "u[IU]/mL", "mIU/mL": "m[IU]/mL", "U/L": "U/L", "u/l": "U/L", "U/l": "U/L",
    "g/dL": "g/dL", "g/dl": "g/dL", "mg/dL": "mg/dL", "mg/dl": "mg/dL", "g/L": "g/L", "g/l": "g/L", "mg/L": "mg/L", "mg/l": "mg/L",
    "ng/mL": "ng/mL", "ng/ml": "ng/mL", "pg/mL": "pg/mL", "pg/ml": "pg/mL", "ug/dL": "ug/dL", "µg/L": "ug/L", "ug/L": "ug/L",
    "mmol/L": "mmol/L", "mmol/l": "mmol/L", "µmol/L": "umol/L", "umol/L": "umol/L", "umol/l": "umol/L", "nmol/L": "nmol/L", "pmol/L": "pmol/L",
    "mEq/L": "meq/L", "mEq/l": "meq/L",
    "um3": "um3", "µm3": "um3", "fL": "fL", "fl": "fL", "pg": "pg", "%": "%", "mm": "mm", "s": "s", "sec": "s",
    "copies/mL": "{copies}/mL", "Copies / mL": "{copies}/mL", "cp/mL": "{copies}/mL", "c/mL": "{copies}/mL",
}  # fmt: skip

# The UCUM atoms a laboratory meets, with the prefixes it uses. A whole UCUM grammar would accept far more than a
# clinical unit; here an unknown atom is a question for a person.
_ATOMS = r"(?:\[IU\]|\[iU\]|\[pH\]|\[arb'U\]|\[CFU\]|mol|osm|meq|eq|kat|cal|bar|Pa|mm\[Hg\]|m\[Hg\]|g|L|l|U|m|s|min|h|d|a|K|Cel|rad|\{[!-z|~]+\}|%|1)"
_TERM = rf"(?:10\*-?\d{{1,2}}|(?:[fpnumcdkM]|da|G)?{_ATOMS}(?:-?\d)?)(?:\{{[!-z|~]+\}})?"
_UCUM = re.compile(rf"{_TERM}(?:[./]{_TERM})*|/{_TERM}(?:[./]{_TERM})*", re.ASCII)


@lru_cache(maxsize=4096)
def is_ucum(unit: str) -> bool:
    """True when the text is a UCUM expression made of the atoms a laboratory uses (case-sensitive form)."""
    return bool(_UCUM.fullmatch(unit))


def ucum(unit: str) -> str:
    """Return the UCUM code that a unit string stands for; raises QuantityError when nobody has declared it."""
    text = unit.strip()
    known = UNIT_ALIASES.get(text)
    if known is not None:
        return known
    if is_ucum(text):
        return text
    raise QuantityError(
        f"unit {unit!r} is not UCUM and no alias is declared; add it to the driver's units or the site's aliases"
    )
