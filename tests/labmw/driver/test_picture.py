"""Are histograms, scattergrams and pictures named by what they are, and nothing else taken for one?"""

from __future__ import annotations

import base64
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from labmw.driver.picture import FLOATS, LARGEST, Picture, pictures_in, pictures_of, shown


def packed(data: bytes) -> str:
    deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflating.compress(data) + deflating.flush()).decode("ascii")


NUMBERS = (0.0, 255.0, 3.0, 1.5)
ASTM = (
    "H|\\^&|||H500^1\rP|1\rO|1|S1\rR|1|^^^WBC^6690-2|5.1|10E3/uL\r"
    f"M|1|HISTOGRAM|RBC|RbcAlongRes|{FLOATS}^{packed(struct.pack('<4f', *NUMBERS))}|FLOATLE^AAAA\r"
    "M|2|REAGENT|CLEANER^DILUENT|1^2\rM|3|MATRIX|LMNE|LMNEResAbs\rL|1|N\r"
).encode("ascii")
HL7 = (
    "MSH|^~\\&|BC-5380|Mindray|||20260310080000||ORU^R01|1|P|2.3.1\rPID|1\rOBR|1||S1|00001^Automated Count^99MRC\r"
    "OBX|1|NM|6690-2^WBC^LN||5.1|10*9/L|||||F\rOBX|2|ED|15008^WBC Histogram. BMP^99MRC||^Image^BMP^Base64^Qk0=||||||F\r"
    "OBX|3|ED|15200^WBC DIFF Scattergram. BMP^99MRC||^Image^BMP^Base64^Qk0=||||||F\rOBX|4|ED|1^Slide^L||^Image^JPG^Base64^AA==||||||F\r"
).encode("ascii")


def test_arrays_of_an_astm_message_are_named_and_unpacked() -> None:
    found = pictures_in("astm", ASTM)
    assert [(one.record, one.kind, one.name, one.of, one.form) for one in found] == [
        (5, "histogram", "RbcAlongRes", "RBC", FLOATS),
        (5, "histogram", "RbcAlongRes", "RBC", "FLOATLE"),
        (7, "scattergram", "LMNEResAbs", "LMNE", ""),
    ]
    assert [one.numbers() for one in found] == [NUMBERS, (), ()]
    assert [one["points"] for one in shown(found)] == [4, 0, 0]
    assert "data" not in shown(found)[0]


def test_a_picture_that_stays_on_the_analyzer_is_named_by_its_file() -> None:
    lines = (
        "SCAT_WDF^^|PNG\\20260310\\A_WDF.PNG",
        "DIST_RBC|A_RBC.png",
        "SCAT_WDF|4.1",
        "WBC|A.PNG",
        "DIST_PLT|",
        "DIST_PLT|.pngx",
    )
    text = (
        "H|\\^&|||XN-550\rP|1\rO|1|S1\r" + "".join(f"R|{n}|^^^^{one}|\r" for n, one in enumerate(lines, 1)) + "L|1|N\r"
    )
    assert [(one.record, one.kind, one.name, one.form) for one in pictures_in("astm", text.encode())] == [
        (4, "scattergram", "SCAT_WDF", "file PNG"),
        (5, "histogram", "DIST_RBC", "file PNG"),
    ]


def test_pictures_of_an_hl7_message_are_named() -> None:
    assert [(one.kind, one.of, one.form, one.size) for one in pictures_in("hl7", HL7)] == [
        ("histogram", "15008", "BMP", 4),
        ("scattergram", "15200", "BMP", 4),
        ("image", "1", "JPG", 4),
    ]


def test_what_cannot_be_taken_apart_has_none() -> None:
    assert pictures_in("hl7", b"nothing") == pictures_in("astm", b"nothing") == pictures_in("tags", ASTM) == []
    assert pictures_of(object()) == []


def test_an_array_that_would_fill_the_memory_is_not_unpacked() -> None:
    """The variant that breaks it: decompress() without a bound makes sixteen megabytes of these few kilobytes."""
    bomb = packed(bytes(4 * LARGEST))
    assert len(bomb) < LARGEST / 64
    assert Picture(1, "histogram", "X", form=FLOATS, data=bomb).numbers() == ()


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode("ascii"))))
def test_rubbish_is_no_array(data: str) -> None:
    assert isinstance(Picture(1, "curve", "X", form=FLOATS, data=data).numbers(), tuple)
