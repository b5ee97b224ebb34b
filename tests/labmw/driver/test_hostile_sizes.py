"""Does a message made to be slow stay quick to read? Work grows with its size, not with its square."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest

from labmw.driver import astm, hl7
from labmw.driver.declaration import Driver, Evidence, Field, Hl7Driver
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly
from protocols.hl7.er7 import Message

PARIS = ZoneInfo("Europe/Paris")
LAW = Hl7Driver(name="acme", evidence=Evidence.MANUAL, coded=True, run=Field("OBX", 4, 1))
ACME = Driver(name="acme-astm", evidence=Evidence.MANUAL)
HEAD = "MSH|^~\\&|ACME|LAB|LIS|H|20260310081500||OUL^R22|C1|P|2.5.1\r"
OBX = "OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||F\r"
MANY = 20_000

HOSTILE = {
    "flags": HEAD + "OBR||W\rOBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM||" + "N~" * MANY + "|||F\r",
    "parents": HEAD + "OBR||W\rORC|SC|||||||" + "A~" * MANY + "\r" + OBX,
    "substances": HEAD + "SPM|1|A\rOBR||W\r" + (OBX + "INV|R|OK~OK|SR\r") * (MANY // 4),
    "specimens behind": HEAD + "OBR||W\r" + OBX * (MANY // 10) + "SPM|1|A17\r" + "".join(f"SPM|1|S{n}\r" for n in range(MANY // 4)),
    "containers": HEAD + "SPM|1\r" + "".join(f"SAC|||S{n}\r" for n in range(MANY // 4)) + "OBR||W\r" + OBX * (MANY // 10),
    "components": HEAD + "OBR||W\rOBX|1|SN|" + "^" * MANY + "|1|" + "^" * MANY + "|" + "&" * MANY + "\r",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hl7(name: str) -> None:
    message = Message.parse(HOSTILE[name].encode())
    start = time.process_time()
    read = hl7.read(message, LAW, zone=PARIS)
    assert time.process_time() - start < 3
    assert read.results
    assert sum(len(fact) for one in read.results for _, fact in one.problem_facts) < 30 * len(HOSTILE[name])


@pytest.mark.parametrize(
    "record",
    [
        "O|1|A|" + "|^^^K" + "\\^^^K" * MANY,
        "O|1|" + "A\\" * MANY,
        "Q|1|^A" + "\\^A" * MANY,
        "R|1|^^^K|1|g/L||" + "N\\" * MANY,
    ],
)
def test_astm(record: str) -> None:
    text = f"H|\\^&\rP|1\rO|1|A\r{record}\rL|1|N\r".encode()
    (message,) = Assembly(max_message=len(text) + 1).feed(Frame(0, text, True, b""))
    start = time.process_time()
    astm.read(message, ACME, zone=PARIS)
    assert time.process_time() - start < 3
