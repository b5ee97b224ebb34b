"""Tosoh HLC-723 G7 and G8 glycohaemoglobin analyzers, one line of fixed columns (protocol = "stx"): ten fractions in percent, and the barcode at the end.

    0209160007  0.0  0.7  0.7  1.1  2.4  8.5 87.8  0.0  0.0  9.90026112501

Six digits of a date, four of a number, ten columns of five (FP, A1a, A1b, F, LA1c, SA1c, A0, H-V0, H-V1, total A1), two digits, twenty of the barcode. SA1c is
the result, the others are details of its run. Whether it is the NGSP or the JDS percentage is a setting of the analyzer and stands nowhere in the line: it
is not mapped. A line of nines ends a transmission and holds nothing. A number of a rack and a place ("0001 - 05") stands where no barcode was read, and is
no tube.

How the line is enclosed was not seen: it is read as what stands between STX and ETX. Tosoh's G8 and GX can also send longer formats, kept whole.

Source: eighty lines of a G7 (2002) and how they are cut, in a public host program; which column is which, as the document Tosoh HLC-723GX Host Connection
Specifications orders its formats by name, of which only the contents were read.
Evidence: unverified.
"""

import re

from labmw.driver.declaration import Evidence, TestId
from labmw.driver.laying import Laid, NotUnderstood, PlainDriver, Sheet, as_sent, check_length
from protocols.plain.message import PlainMessage

FRACTIONS = ("FP", "A1a", "A1b", "F", "LA1c", "SA1c", "A0", "H-V0", "H-V1", "A1")
_LINE = re.compile(r"(\d{6})(\d{4})((?:[ \d]{3}\.\d){10})([ \d]{2})(.{0,20})", re.ASCII)
_BARCODE = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^fraction; only SA1c is a result of its own."""
    name = components[3] if len(components) > 3 else components[0]
    return TestId(name, main=name == "SA1c")


def _layout(message: PlainMessage) -> Laid:
    (text,) = message.decoded() if len(message.texts) == 1 else ("",)
    check_length([text], 256)
    text = text.strip("\r\n")
    if text.startswith("999999"):
        return as_sent(message)
    found = _LINE.fullmatch(text)
    if found is None:
        raise NotUnderstood("it is no line of a date, a number, ten fractions and a barcode")
    date, number, fractions, marks, barcode = found.groups()
    tube = barcode.strip()
    sheet = Sheet()
    sheet.line()
    sheet.piece(date, placed=False)  # of what, the line does not say
    sheet.piece(number + fractions)
    sheet.piece(marks, placed=not marks.strip(" 0"))
    sheet.piece(barcode)
    sheet.record("H", f5="")
    sheet.record("P", f2="1")
    sheet.record("O", f2="1", f3=tube if _BARCODE.fullmatch(tube) else "", f4=(number, tube))
    for place, name in enumerate(FRACTIONS):
        value = fractions[place * 5 : place * 5 + 5].strip()
        sheet.record("R", f2=str(place + 1), f3=("", "", "", name), f4=value, f5="%", f9="F")
    return sheet.laid()


DRIVER = PlainDriver(
    name="tosoh-g8",
    protocol="stx",
    maker="Tosoh",
    models=("HLC-723 G7", "HLC-723 G8"),
    evidence=Evidence.UNVERIFIED,
    layout=_layout,
    split=split,
    flags={},
)
