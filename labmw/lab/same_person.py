"""Do two laboratories speak of the same person? Names as people write them, birth date and sex to the letter; pure.

Names lose accents, hyphens and their end on the way through older systems; a birth date or a sex does not change by itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

LEAST = 3  # letters that a name cut off by another system must keep


def letters(name: str) -> str:
    """A name as it is compared: its letters alone, in lower case, without accents."""
    small = unicodedata.normalize("NFKD", name).casefold()  # first taken apart: a capital may stand inside one sign
    spelled = small.replace("œ", "oe").replace("æ", "ae").replace("ß", "ss")
    return "".join(one for one in unicodedata.normalize("NFKD", spelled) if one.isalpha())


def same_name(one: str, other: str) -> bool:
    """Whether two names can be one: equal letters, or one of them cut off."""
    short, long = sorted((letters(one), letters(other)), key=len)
    if not short or not long:
        return not short and not long
    return short == long or (len(short) >= LEAST and long.startswith(short))


def difference(
    families: Iterable[str],
    given: Iterable[str],
    birth: str,
    sex: str,
    *,
    ours: tuple[str, str, str, str],
) -> str:
    """The first trait on which they differ: family, given, birth or sex; "" when it is the same person.

    `ours` are family and given name, birth date as YYYY-MM-DD and sex; one that we do not know says nothing. What we know and the other side
    leaves out is a difference.
    """
    family, first, born, our_sex = ours
    if family and not any(same_name(family, one) for one in families):
        return "family"
    if first and not any(same_name(first, one) for one in given):
        return "given"
    if born and birth[:8] != born.replace("-", ""):
        return "birth"
    if our_sex in ("F", "M") and sex != our_sex:
        return "sex"
    return ""
