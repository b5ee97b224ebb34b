"""Which tests are never released without a person, and what lifts that? Blood groups, first positives of HIV, HBV and HCV, genetics, prenatal screening.

The table is a floor, not the list: a pack says `class = "genetics"` of any test of its own, and the site's catalogue in its column `class`, in these
words or as the LOINC table classes it. Only the responsible biologist can except a test, by naming its LOINC code among the `exceptions` of the signature. Source: issue text and the French good practice that it follows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from labmw.model import Case, Previous
from labmw.quantity import Quantity

CLASSES: Final = ("immunohaematology", "infection", "genetics", "prenatal")
"""infection: only a first positive is held."""

_OF_LOINC: Final[Mapping[str, str]] = {"BLDBK": "immunohaematology", "MOLPATH": "genetics", "HLA": "genetics"}
"""What the column CLASS of the LOINC table says of such tests; MOLPATH.MUT and its kin are MOLPATH. It has none for HIV and hepatitis or prenatal screening."""
_OTHERS: Final = frozenset(
    {
        "ABXBACT", "ALLERGY", "CELLMARK", "CHAL", "CHAL.ROUTINE", "CHEM", "COAG", "CYTO", "DRUG/TOX", "DRUGDOSE", "FERT", "HEM/BC",
        "MICRO", "MISC", "PATH", "SERO", "SPEC", "SURGPATH", "UA",
    }
)  # fmt: skip
"""Its other laboratory classes: nothing follows from them. A word of neither list is a mistake, not a test without a class."""


def class_named(text: str) -> str | None:
    """The class that a word of a catalogue means; "" for a class of LOINC from which nothing follows, None for a word that is none."""
    word = text.strip()
    if word.casefold() in CLASSES:
        return word.casefold()
    known = word.upper()
    if known in _OTHERS:
        return ""
    return _OF_LOINC.get(known.partition(".")[0])


RESERVED: Final[Mapping[str, str]] = {
    "882-1": "immunohaematology",  # ABO and Rh group
    "883-9": "immunohaematology",  # ABO group
    "10331-7": "immunohaematology",  # Rh
    "890-4": "immunohaematology",  # antibody screen
    "1007-4": "immunohaematology",  # direct antiglobulin test
    "56888-1": "infection",  # HIV 1+2 antibodies and p24 antigen
    "31201-7": "infection",  # HIV 1+2 antibodies
    "7918-6": "infection",  # HIV 1+2 antibodies
    "20447-9": "infection",  # HIV 1 RNA
    "25836-8": "infection",  # HIV 1 RNA
    "5195-3": "infection",  # HBs antigen
    "5196-1": "infection",  # HBs antigen
    "42595-9": "infection",  # HBV DNA
    "13955-0": "infection",  # HCV antibodies
    "16128-1": "infection",  # HCV antibodies
    "11011-4": "infection",  # HCV RNA
    "20416-4": "infection",  # HCV RNA
    "21668-9": "genetics",  # factor V
    "24475-6": "genetics",  # factor II
}
"""LOINC codes; names shortened."""

_NEGATIVE: Final = frozenset(
    {
        "negative", "neg", "negatif", "non reactive", "nonreactive", "non reactif", "not detected", "target not detected", "undetected",
        "non detecte", "indetectable", "absence", "absent",
    }
)  # fmt: skip
"""What says that nothing was found, without accents and hyphens. Any other word may be a positive one."""


def class_of(loinc: str, *said: str) -> str:
    """Return the class of a test, of the table and of what its packs say the stricter one; "" for a test of none.

    A pack may add to the table and never take from it: called an infection, a gene would leave whenever it is negative.
    """
    known = [one for one in (RESERVED.get(loinc, ""), *said) if one]
    return next((one for one in known if one != "infection"), known[0] if known else "")


def negative(text: str) -> bool:
    """True when a word says that nothing was found."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(plain.replace("-", " ").split()) in _NEGATIVE


def first_positive(case: Case) -> bool:
    """True unless the result says that nothing was found, or an earlier positive one of this patient is known."""
    result = case.result
    if result.quantity is None and negative(result.value):
        return False
    return not any(_positive(one) for one in case.history or ()) and not any(
        not negative(word) for word, _ in case.said_before or ()
    )


def _positive(one: Previous) -> bool:
    quantity: Quantity = one.quantity
    return quantity.comparator not in ("<", "<=") and quantity.number > 0
