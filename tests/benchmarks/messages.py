"""Which messages are measured? Two of realistic size, written here so that every run measures the same bytes.

ASTM: 60 records, one frame each, about 5.6 kB of text, from an analyzer that the shipped drivers know. HL7: an OUL^R22 of 40 segments,
about 3.5 kB, with OBX-29 and a line break in its notes. No person in them is real.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import adler32

# code, value, unit, range, and the LOINC code that the shipped driver gives it
TESTS = (
    ("989", "142.3", "mmol/L", "136.0^145.0", "2951-2"),
    ("990", "4.31", "mmol/L", "3.50^5.10", "2823-3"),
    ("991", "103.5", "mmol/L", "98.0^107.0", "2075-0"),
    ("418", "6.42", "mmol/L", "2.76^8.07", "22664-7"),
    ("690", "78.4", "umol/L", "45.0^84.0", "14682-9"),
    ("767", "5.42", "mmol/L", "4.11^6.05", "14749-6"),
    ("700", "312.7", "umol/L", "143.0^339.0", "14933-6"),
    ("698", "2.38", "mmol/L", "2.15^2.50", "2000-8"),
    ("413", "43.2", "g/L", "39.7^49.5", "1751-7"),
    ("712", "11.6", "umol/L", "0.0^21.0", "14631-6"),
    ("735", "2.94", "umol/L", "0.00^5.00", "14629-0"),
    ("685", "27.5", "U/L", "0.0^33.0", "1742-6"),
    ("687", "24.1", "U/L", "0.0^32.0", "1920-8"),
    ("798", "5.17", "mmol/L", "0.00^5.20", "14647-2"),
)
SPECIMENS = ("SPECIMEN-A1", "SPECIMEN-B2")  # each replaced, at the same length, to make the next message
CONTROL_ID = "CONTROL-ID-0001"

OBSERVATIONS = (
    ("2951-2^Sodium [Moles/volume] in Serum or Plasma^LN", "142.3", "mmol/L", "136.0-145.0"),
    ("2823-3^Potassium [Moles/volume] in Serum or Plasma^LN", "4.31", "mmol/L", "3.50-5.10"),
    ("2075-0^Chloride [Moles/volume] in Serum or Plasma^LN", "103.5", "mmol/L", "98.0-107.0"),
    ("22664-7^Urea [Moles/volume] in Serum or Plasma^LN", "6.42", "mmol/L", "2.76-8.07"),
    ("14682-9^Creatinine [Moles/volume] in Serum or Plasma^LN", "78.4", "umol/L", "45.0-84.0"),
    ("14749-6^Glucose [Moles/volume] in Serum or Plasma^LN", "5.42", "mmol/L", "4.11-6.05"),
    ("2000-8^Calcium [Moles/volume] in Serum or Plasma^LN", "2.38", "mmol/L", "2.15-2.50"),
    ("1751-7^Albumin [Mass/volume] in Serum or Plasma^LN", "43.2", "g/L", "39.7-49.5"),
    ("1742-6^ALT [Enzymatic activity/volume] in Serum or Plasma^LN", "27.5", "U/L", "0.0-33.0"),
    ("14647-2^Cholesterol [Moles/volume] in Serum or Plasma^LN", "5.17", "mmol/L", "0.00-5.20"),
)


def records() -> list[bytes]:
    """The 60 records of the ASTM message, each with its CR: two patients, 27 results, each with its data alarm comment."""
    lines = ["H|\\^&|||c311^1.4.2^SN-4471|||||host|RSUPL^BATCH|P|1|20260315083020"]
    for place, (specimen, tests) in enumerate(zip(SPECIMENS, (TESTS, TESTS[:13]), strict=True), 1):
        ordered = "\\".join(f"^^^{code}/" for code, *_ in tests)
        lines += [
            f"P|{place}||PAT00041{place}||DUPONT^LEA||19850412|F",
            f"O|{place}|{specimen}|{place}^5001{place}^{place}^^S1^SC|{ordered}"
            "|R|20260315074500|20260315073000||||N||||1||||||20260315083015|||F",
        ]
        for number, (code, value, unit, normal, _) in enumerate(tests, 1):
            lines += [
                f"R|{number}|^^^{code}/1|{value}|{unit}|{normal}^normal|N||F||TECHNI0001|20260315080000|20260315083015"
                f"|c311^ISE^module 1, cell {number:02d}",
                f"C|1|I|0^no data alarm; reagent 6471350{number:02d}; calibrated 2026-03-14 07:12|I",
            ]
    lines.append("L|1|N")
    return [line.encode("ascii") + b"\r" for line in lines]


def framed(texts: list[bytes]) -> list[bytes]:
    """One frame for each record, numbered from 1."""
    return [frame(number & 7, text) for number, text in enumerate(texts, 1)]


def frame(number: int, text: bytes) -> bytes:
    """One frame, written without the code that is measured."""
    body = b"%d%b\x03" % (number, text)
    return b"\x02%b%02X\r\n" % (body, sum(body) & 0xFF if len(body) > 256 else (adler32(body) - 1) & 0xFF)


def oul_r22(*, law: bool = False) -> bytes:
    """The OUL^R22: 40 segments, 10 of them OBX; for a LAW line as work that began at the analyzer, so that no AWOS must be known."""
    lines = [
        f"MSH|^~\\&|CHEM-X1|LABODEMO|LABMW|LABODEMO|20260315083020+0100||OUL^R22^OUL_R22|{CONTROL_ID}|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE",
        "PID|||PAT000417^^^LABODEMO^PI||DUPONT^Lea^^^^^L||19850412|F",
        f"SPM|1|{SPECIMENS[0]}&LABMW||SER^Serum^HL70487|||||||P^Patient specimen^HL70369",
        f"SAC|||{SPECIMENS[0]}",
        "INV|CHEM^Reagent pack^99ACME|OK^OK status^HL70383|SR^Single test reagent^HL70384|||||||||20270131||||LOT7781",
    ]
    for number, (code, value, unit, normal) in enumerate(OBSERVATIONS, 1):
        awos = '""' if law else f"AWOS-{number:06d}^LABMW"
        lines += [
            f"OBR||{awos}||{code}",
            "ORC|SC||||CM",
            f"OBX|{number}|NM|{code}|1|{value}|{unit}^{unit}^UCUM|{normal}|N^Normal^HL70078|||F|||||TECH01||"
            "CHEM-X1^ACME~SN-4471^ACME|20260315083015+0100||||||||||RSLT",
        ]
        if number % 2 == 0:
            lines.append(f"NTE|1|I|Measured undiluted\\.br\\Reagent lot 77810{number:02d}, no alarm")
    return "".join(line + "\r" for line in lines).encode("ascii")


def query(serial: int, tube: str) -> bytes:
    """MLLP block of a query for the work of one tube (LAB-27)."""
    return (
        "\x0bMSH|^~\\&|CHEM-X1|LABODEMO|LABMW|LABODEMO|20260315083020+0100||QBP^Q11^QBP_Q11|"
        f"Q{serial:012d}|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\r"
        f"QPD|WOS^Work Order Step^IHELAW|T{serial:012d}|{tube}\rRCP|I||R^Real Time^HL70394\r\x1c\r"
    ).encode("ascii")


@dataclass(frozen=True, slots=True)
class AstmSource:
    """Messages of one connection, each with specimens of its own, and otherwise the same bytes."""

    frames: list[bytes]
    texts: list[bytes]
    changing: tuple[int, ...]  # the frames that name a specimen

    @classmethod
    def new(cls) -> AstmSource:
        """A source of the message above."""
        texts = records()
        changing = tuple(
            place for place, text in enumerate(texts) if any(specimen.encode() in text for specimen in SPECIMENS)
        )
        return cls(framed(texts), texts, changing)

    def message(self, serial: int) -> list[bytes]:
        """The frames of message `serial`, below ten million and different for each."""
        frames = self.frames.copy()
        for place in self.changing:
            text = self.texts[place]
            for letter, specimen in zip("AB", SPECIMENS, strict=True):
                text = text.replace(specimen.encode(), b"%c%0*d" % (ord(letter), len(specimen) - 1, serial))
            frames[place] = frame((place + 1) & 7, text)
        return frames


def hl7_block(template: bytes, serial: int) -> bytes:
    """MLLP block of message `serial`: its own control ID and specimen."""
    return b"\x0b%b\x1c\r" % template.replace(CONTROL_ID.encode(), b"C%0*d" % (len(CONTROL_ID) - 1, serial)).replace(
        SPECIMENS[0].encode(), b"H%0*d" % (len(SPECIMENS[0]) - 1, serial)
    )
