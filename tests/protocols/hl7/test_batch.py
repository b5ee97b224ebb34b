"""A batch is cut into its messages, and refused when something of it is missing."""

import pytest

from protocols.errors import Hl7Error
from protocols.hl7.batch import cut

A = b"MSH|^~\\&|a\rPID|1\r"
B = b"MSH|^~\\&|b\rPID|2\r"
FHS, BHS = b"FHS|^~\\&|\r", b"BHS|^~\\&|\r"


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (b"\r\r", []),
        (A, [A]),
        (A + B, [A, B]),
        (BHS + A + B + b"BTS|2\r", [A, B]),
        (BHS + A + B + b"BTS|2|a comment\r", [A, B]),
        (b"BHS$%*!@$\r" + A + b"BTS$1$\r", [A]),
        (BHS + A + b"BTS\r", [A]),
        (BHS + A, [A]),
        (BHS + b"BTS|0\r", []),
        (FHS + A + b"FTS\r", [A]),
        (FHS + BHS + A + b"BTS|1\r" + BHS + B + b"BTS|1\rFTS|2\r", [A, B]),
        (FHS + BHS + A, [A]),
        (A.replace(b"\r", b"\n") + B.replace(b"\r", b"\n"), [A.replace(b"\r", b"\n"), B.replace(b"\r", b"\n")]),
        (BHS.replace(b"\r", b"\r\n") + A.replace(b"\r", b"\r\n"), [A.replace(b"\r", b"\r\n")]),
        (A + b"\r\r" + B, [A + b"\r\r", B]),
        # a line feed inside a text of a CR message starts nothing
        (b"MSH|^~\\&|\rNTE|1||x\nMSH|^~\\&|\r", [b"MSH|^~\\&|\rNTE|1||x\nMSH|^~\\&|\r"]),
    ],
)
def test_cut(data: bytes, messages: list[bytes]) -> None:
    assert cut(data) == messages


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PID|1\r", "line 1 .PID. belongs to no message"),
        (BHS + b"PID|1\r", "line 2 .PID. belongs to no message"),
        (BHS + A + b"BTS|1\rPID|1\r", "line 5 .PID. belongs to no message"),
        (BHS + A + BHS + B, "line 4: BHS inside a batch"),
        (A + b"BTS|1\r", "line 3: BTS closes no batch"),
        (A + b"FTS|1\r", "line 3: FTS closes no file"),
        (A + FHS, "line 3: FHS is not the first line"),
        (BHS + A + b"BTS|2\r", "counts 2 messages, 1 are there"),
        (FHS + BHS + A + b"BTS|1\rFTS|2\r", "counts 2 batches, 1 are there"),
        (BHS + A + b"BTS|\xff\r", "counts \N{REPLACEMENT CHARACTER} messages"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        cut(data)
