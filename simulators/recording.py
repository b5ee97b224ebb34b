"""How was our own recording made? A session as a Horiba Yumizen H500 would hold it, every value invented, written as a `.wire` file.

The layout follows a capture of such an analyzer (corpus: astm/yumizen-h500): records of one frame each ending with ETX, manufacturer
records of base64 cut every 240 characters with ETB, frame numbers running on from record to record, R.12 as the only time.
`python -m simulators record FILE.wire` makes it again, byte for byte.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from protocols.astm.control import ACK, ENQ, EOT
from protocols.astm.frame import cut, encode
from protocols.capture import Piece, dumps

SEED = 500
SPECIMEN = "7100042"
MEASURED, SENT = "20250310084512", "20250310085207"

# Invented values of a patient with a mild anaemia; (code, LOINC, value, unit, limits, flag, status).
_RESULTS = (
    ("WBC", "6690-2", "6.12", "10E3/uL", "3.50 - 10.00", "N", "F"),
    ("RBC", "789-8", "3.71", "10E6/uL", "3.80 - 6.00", "L", "F"),
    ("HGB", "718-7", "10.9", "g/dL", "11.5 - 17.0", "L", "F"),
    ("HCT", "4544-3", "32.6", "%", "35.0 - 52.0", "L", "F"),
    ("MCV", "787-2", "87.9", "um3", "76.0 - 100.0", "N", "F"),
    ("MCH", "785-6", "29.4", "pg", "27.0 - 34.0", "N", "F"),
    ("MCHC", "786-4", "33.4", "g/dL", "32.0 - 35.0", "N", "F"),
    ("RDW-CV", "788-0", "15.2", "%", "11.0 - 17.0", "N", "F"),
    ("RDW-SD", "21000-5", "47.8", "um3", "37.0 - 49.0", "N", "F"),
    ("PLT", "777-3", "231", "10E3/uL", "150 - 400", "N", "F"),
    ("MPV", "32623-1", "8.7", "um3", "8.0 - 11.0", "N", "F"),
    ("PCT", "51637-7", "0.20", "%", "0.15 - 0.40", "N", "F"),
    ("PDW", "51631-0", "14.1", "um3", "11.0 - 22.0", "N", "F"),
    ("P-LCC", "", "61", "10E3/uL", "44 - 140", "N", "F"),
    ("P-LCR", "48386-7", "26.4", "%", "18.0 - 50.0", "N", "F"),
    ("NEU#", "751-8", "3.61", "10E3/uL", "1.60 - 7.00", "N", "F"),
    ("NEU%", "770-8", "59.0", "%", "40.0 - 73.0", "N", "F"),
    ("LYM#", "731-0", "1.84", "10E3/uL", "1.00 - 3.00", "N", "F"),
    ("LYM%", "736-9", "30.1", "%", "15.0 - 45.0", "N", "F"),
    ("MON#", "742-7", "0.47", "10E3/uL", "0.20 - 0.80", "N", "F"),
    ("MON%", "5905-5", "7.7", "%", "4.0 - 12.0", "N", "F"),
    ("EOS#", "711-2", "0.15", "10E3/uL", "0.00 - 0.50", "N", "F"),
    ("EOS%", "713-8", "2.4", "%", "0.5 - 7.0", "N", "F"),
    ("BAS#", "704-7", "0.05", "10E3/uL", "0.00 - 0.15", "N", "F"),
    ("BAS%", "706-2", "0.8", "%", "0.0 - 2.0", "N", "F"),
    ("LIC#", "55432-9", "0.09", "10E3/uL", "0.00 - 0.10", "N", "W"),
    ("LIC%", "55433-7", "1.4", "%", "0.0 - 1.0", "H", "W"),
)


def records() -> Iterator[bytes]:
    """Yield the records of the session, each with its CR."""
    random = Random(SEED)  # noqa: S311 - the same recording every time
    yield rb"H|\^&|||H500^000SIMU00001^2.2.0.5|||||||P|LIS2-A2|" + SENT.encode() + b"\r"
    yield b"P|1" + b"|" * 35 + b"\r"
    yield f"O|1|{SPECIMEN}||^^^DIF|R|{MEASURED}|||||||||BLOOD||||||||||F|||||\r".encode()
    yield b"C|1|I|SUSPECTED_PATHOLOGY^^ANEMIA|I\r"
    for number, (kind, size) in enumerate((("LMNE_MATRIX", 3200), ("RBC_HISTOGRAM", 512), ("PLT_HISTOGRAM", 512)), 1):
        picture = base64.b64encode(random.randbytes(size))
        yield f"M|{number}|{kind}|FLOATLE-stream/deflate:base64|".encode() + picture + b"\r"
    yield (
        rb"M|4|REAGENT|CLEANER\DILUENT\LYSE|R1^20250301000000^20260101\R2^20250301000000^20260101\R3^20250301000000^20260101"
        + b"\r"
    )
    for number, (code, loinc, value, unit, limits, flag, status) in enumerate(_RESULTS, 1):
        test = f"^^^{code}^{loinc}" if loinc else f"^^^{code}"
        yield (
            f"R|{number}|{test}|{value}|{unit}|{limits}^REFERENCE_RANGE|{flag}||{status}||PATHO^^USER|{MEASURED}||\r".encode()
        )
    yield b"L|1|N\r"


def pieces() -> list[Piece]:
    """Return the session in both directions, with invented times: 9600 baud there, an answer after 20 ms."""
    found: list[Piece] = []
    now = Decimal(0)

    def say(data: bytes, answer: int | None) -> None:
        nonlocal now
        found.append(Piece(now, ">", data))
        now += Decimal(len(data)) / 960
        if answer is not None:
            now = (now + Decimal("0.020")).quantize(Decimal("0.001"))
            found.append(Piece(now, "<", bytes([answer])))
            now += Decimal("0.005")

    say(bytes([ENQ]), ACK)
    number = 1
    for record in records():
        for text, last in cut(record):
            say(encode(number, text, last), ACK)
            number = (number + 1) % 8
    say(bytes([EOT]), None)
    return found


def compose() -> str:
    """Return the text of the recording."""
    return dumps(
        pieces(),
        "A session as a Horiba Yumizen H500 would hold it. Composed for labmw: patient, specimen and values are invented.",
    )
