"""Which bars stand for this number? Code 128, sets B and C, as widths of bars and spaces in modules (ISO/IEC 15417)."""

from __future__ import annotations

_WIDTHS = [
    "212222",
    "222122",
    "222221",
    "121223",
    "121322",
    "131222",
    "122213",
    "122312",
    "132212",
    "221213",
    "221312",
    "231212",
    "112232",
    "122132",
    "122231",
    "113222",
    "123122",
    "123221",
    "223211",
    "221132",
    "221231",
    "213212",
    "223112",
    "312131",
    "311222",
    "321122",
    "321221",
    "312212",
    "322112",
    "322211",
    "212123",
    "212321",
    "232121",
    "111323",
    "131123",
    "131321",
    "112313",
    "132113",
    "132311",
    "211313",
    "231113",
    "231311",
    "112133",
    "112331",
    "132131",
    "113123",
    "113321",
    "133121",
    "313121",
    "211331",
    "231131",
    "213113",
    "213311",
    "213131",
    "311123",
    "311321",
    "331121",
    "312113",
    "312311",
    "332111",
    "314111",
    "221411",
    "431111",
    "111224",
    "111422",
    "121124",
    "121421",
    "141122",
    "141221",
    "112214",
    "112412",
    "122114",
    "122411",
    "142112",
    "142211",
    "241211",
    "221114",
    "413111",
    "241112",
    "134111",
    "111242",
    "121142",
    "121241",
    "114212",
    "124112",
    "124211",
    "411212",
    "421112",
    "421211",
    "212141",
    "214121",
    "412121",
    "111143",
    "111341",
    "131141",
    "114113",
    "114311",
    "411113",
    "411311",
    "113141",
    "114131",
    "311141",
    "411131",
    "211412",
    "211214",
    "211232",
]
_STOP = "2331112"
_START_B, _START_C, _TO_B = 104, 105, 100


def code128(text: str) -> list[int]:
    """The widths of bars and spaces, a bar first, in modules. Digits go in pairs.

    Raises: ValueError for a character outside printable ASCII.
    """
    if not text or not all(" " <= one <= "~" for one in text):
        raise ValueError(f"{text!r} cannot be written in Code 128: use printable ASCII")
    values = _values(text)
    check = (values[0] + sum(place * value for place, value in enumerate(values[1:], 1))) % 103
    return [int(width) for value in (*values, check) for width in _WIDTHS[value]] + [int(width) for width in _STOP]


def _values(text: str) -> list[int]:
    if len(text) >= 4 and text.isdecimal():
        pairs = [int(text[at : at + 2]) for at in range(0, len(text) - len(text) % 2, 2)]
        rest = [_TO_B, ord(text[-1]) - 32] if len(text) % 2 else []
        return [_START_C, *pairs, *rest]
    return [_START_B, *(ord(one) - 32 for one in text)]
