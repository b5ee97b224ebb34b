"""Separators are read as declared, and refused when they could cut a value."""

import pytest

from protocols.errors import Hl7Error
from protocols.hl7.separators import STANDARD, UNDECLARED, Separators


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("MSH|^~\\&|LAB", STANDARD),
        ("MSH|^~\\&", STANDARD),
        ("MSH|^~\\&\rPID|1", STANDARD),
        ("MSH|^~\\&\nPID|1", STANDARD),
        ("BHS|^~\\&|", STANDARD),
        ("MSH|^~\\&#|LAB", Separators("|", "^", "~", "\\", "&", "#")),
        ("MSH$%*!@$LAB", Separators("$", "%", "*", "!", "@")),
        ("MSH|^|LAB", Separators("|", "^", UNDECLARED, UNDECLARED, UNDECLARED)),
        ("MSH|^~|LAB", Separators("|", "^", "~", UNDECLARED, UNDECLARED)),
    ],
)
def test_declared(line: str, expected: Separators) -> None:
    separators = Separators.of_header(line)
    assert separators == expected
    assert separators.encoding_characters == line.splitlines()[0][4:].split(line[3])[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "starts with MSH"),
        ("MSH", "starts with MSH"),
        ("MSH|", "starts with MSH"),
        ("PID|^~\\&|", "starts with MSH"),
        ("MSH|\r^~\\&|", "one to five"),
        ("MSH||LAB", "one to five"),
        ("MSH|^~\\&#!|LAB", "one to five"),
        ("MSH|^^\\&|LAB", "different character"),
        ("MSH|^~\\\\&|LAB", "different character"),
        ("MSHA^~\\&ALAB", "'A'"),
        ("MSH|1~\\&|LAB", "'1'"),
        ('MSH|^"\\&|LAB', "'\"'"),
        ("MSH ^~\\& LAB", "' '"),
        ("MSH|^\x00\\&|LAB", "x00"),
        ("MSHµ^~\\&µLAB", "µ"),
    ],
)
def test_refused_with_a_reason(line: str, says: str) -> None:
    with pytest.raises(Hl7Error, match=says.replace("\\", "\\\\")):
        Separators.of_header(line)
