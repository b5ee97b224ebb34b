"""Does the work of reading grow with the size of a message, however it is made, and not with its square?"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from effort import calls

from labmw.driver import astm, hl7
from labmw.driver.declaration import Driver, Evidence, Field, Hl7Driver
from labmw.driver.reading import Reading
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly
from protocols.hl7.er7 import Message

PARIS = ZoneInfo("Europe/Paris")
LAW = Hl7Driver(name="acme", evidence=Evidence.MANUAL, coded=True, run=Field("OBX", 4, 1))
ACME = Driver(name="acme-astm", evidence=Evidence.MANUAL)
HEAD = "MSH|^~\\&|ACME|LAB|LIS|H|20260310081500||OUL^R22|C1|P|2.5.1\r"
OBX = "OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||F\r"
FEW, MANY = 1000, 4000
GROWTH = 1.3 * MANY / FEW


def hostile(many: int) -> dict[str, str]:
    return {
        "flags": HEAD + "OBR||W\rOBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM||" + "N~" * many + "|||F\r",
        "parents": HEAD + "OBR||W\rORC|SC|||||||" + "A~" * many + "\r" + OBX,
        "substances": HEAD + "SPM|1|A\rOBR||W\r" + (OBX + "INV|R|OK~OK|SR\r") * (many // 4),
        "specimens behind": HEAD + "OBR||W\r" + OBX * (many // 10) + "SPM|1|A17\r" + "".join(f"SPM|1|S{n}\r" for n in range(many // 4)),
        "containers": HEAD + "SPM|1\r" + "".join(f"SAC|||S{n}\r" for n in range(many // 4)) + "OBR||W\r" + OBX * (many // 10),
        "components": HEAD + "OBR||W\rOBX|1|SN|" + "^" * many + "|1|" + "^" * many + "|" + "&" * many + "\r",
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile(FEW))
def test_hl7(name: str) -> None:
    def work(many: int) -> int:
        text = hostile(many)[name]
        message = Message.parse(text.encode())
        read: list[Reading] = []
        count = calls(lambda: read.append(hl7.read(message, LAW, zone=PARIS)))
        assert read[0].results
        assert sum(len(fact) for one in read[0].results for _, fact in one.problem_facts) < 30 * len(text)
        return count

    assert work(MANY) < GROWTH * work(FEW)


@pytest.mark.parametrize(
    ("record", "more"),
    [("O|1|A|" + "|^^^K", "\\^^^K"), ("O|1|", "A\\"), ("Q|1|^A", "\\^A"), ("R|1|^^^K|1|g/L||", "N\\")],
)
def test_astm(record: str, more: str) -> None:
    def work(many: int) -> int:
        text = f"H|\\^&\rP|1\rO|1|A\r{record}{more * many}\rL|1|N\r".encode()
        (message,) = Assembly(max_message=len(text) + 1).feed(Frame(0, text, True, b""))
        return calls(lambda: astm.read(message, ACME, zone=PARIS))

    assert work(MANY) < GROWTH * work(FEW) + 1000


def test_work_that_grows_with_the_square_is_seen() -> None:
    def work(many: int) -> int:
        return calls(lambda: [one.strip() for one in "x" * many for _ in range(many)])

    assert work(MANY) > GROWTH * work(FEW)
