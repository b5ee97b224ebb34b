"""The hierarchy of a message, and what is said when it is broken."""

import pytest

from protocols.astm.record import STANDARD, Record
from protocols.astm.records import CLAUSES, FIELDS, FLAGS, LEVELS, RESULT_STATUS, TERMINATIONS, clause
from protocols.astm.tree import Tree, grow


def tree(*records: str) -> Tree:
    return grow(Record(record, STANDARD) for record in records)


def texts(records: list[Record]) -> list[str]:
    return [record.text for record in records]


def test_levels() -> None:
    found = tree(
        "H|\\^&", "C|1|header", "P|1|A", "C|1|patient", "M|1|patient", "O|1|S1", "C|1|order", "R|1|x", "C|1|result", "M|1|result",
        "C|2|result", "R|2|y", "O|2|S2", "R|1|z", "P|2|B", "O|1|S3", "L|1",
    )  # fmt: skip
    assert found.problems == []
    assert found.header.record is not None and texts(found.header.comments) == ["C|1|header"]
    first, second = found.patients
    assert texts(first.comments) == ["C|1|patient"] and texts(first.manufacturer) == ["M|1|patient"]
    s1, s2 = first.orders
    assert texts(s1.comments) == ["C|1|order"]
    assert [result.record.text for result in s1.results if result.record] == ["R|1|x", "R|2|y"]
    assert texts(s1.results[0].comments) == ["C|1|result", "C|2|result"] and texts(s1.results[0].manufacturer) == [
        "M|1|result"
    ]
    assert s1.results[1].comments == []
    assert [result.record.text for result in s2.results if result.record] == ["R|1|z"]
    assert [order.record.text for order in second.orders if order.record] == ["O|1|S3"] and second.orders[
        0
    ].results == []
    assert found.terminator is not None and found.terminator.type == "L"


def test_queries_and_scientific_records() -> None:
    found = tree("H|\\^&", "Q|1|^S1", "C|1|q", "S|1|m", "M|1|s", "L|1")
    assert found.problems == [] and found.patients == []
    assert found.queries[0].record is not None and texts(found.queries[0].comments) == ["C|1|q"]
    assert found.scientific[0].record is not None and texts(found.scientific[0].manufacturer) == ["M|1|s"]


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (["H|\\^&", "O|1|S", "R|1"], "record 2: O without a P before it"),
        (["H|\\^&", "R|1"], "record 2: R without an O before it"),
        (["H|\\^&", "P|1", "R|1"], "record 3: R without an O before it"),
        (["H|\\^&", "P|1", "O|1", "P|2", "R|1"], "record 5: R without an O before it"),
        (["H|\\^&", "P|1", "O|1", "Q|1", "R|1"], "record 5: R without an O before it"),
        (["H|\\^&", "L|1", "C|1|late"], "record 3 (C) follows the terminator"),
        (["H|\\^&", "Z|1", "L|1"], "record 2: unknown type 'Z', expected one of H P O R C Q L S M"),
        (["H|\\^&", "", "L|1"], "record 2: unknown type '', expected one of H P O R C Q L S M"),
    ],
)
def test_what_breaks_the_hierarchy_is_told(records: list[str], problem: str) -> None:
    found = tree(*records)
    assert found.problems == [problem]


def test_what_breaks_the_hierarchy_is_kept() -> None:
    found = tree("H|\\^&", "R|1|a", "R|2|b")
    (patient,) = found.patients
    (order,) = patient.orders
    assert patient.record is order.record is None
    assert [result.record.text for result in order.results if result.record] == ["R|1|a", "R|2|b"]
    assert tree("H|\\^&", "O|1|S", "O|2|T").patients[0].orders[1].record is not None
    assert texts(tree("X|1").unknown) == ["X|1"]


def test_names_of_fields() -> None:
    assert FIELDS["R"][4] == "value" and FIELDS["O"][12] == "action" and FIELDS["L"][3] == "termination"
    assert (FIELDS["H"][14], FIELDS["P"][35], FIELDS["O"][31], FIELDS["Q"][13]) == (
        "datetime",
        "dosage_category",
        "specimen_institution",
        "status",
    )
    counts = {letter: len(names) for letter, names in FIELDS.items()}
    assert counts == {"H": 14, "P": 35, "O": 31, "R": 14, "C": 5, "Q": 13, "L": 3, "S": 21, "M": 2}
    for names in FIELDS.values():
        assert [name for name in names.values() if name != "reserved"].__len__() == len(
            set(names.values()) - {"reserved"}
        )
    assert set(CLAUSES) == set(FIELDS) == set(LEVELS) | {"C", "M"}


def test_clauses_and_codes() -> None:
    assert (clause("R", 4), clause("O", 12), clause("H", 3)) == ("9.4", "8.4.12", "6.3")
    assert (
        FLAGS["<"] == "below the scale"
        and RESULT_STATUS["W"] == "validity questionable"
        and TERMINATIONS["I"].startswith("no information")
    )
    assert len(FLAGS) == 12 and len(RESULT_STATUS) == 12 and len(TERMINATIONS) == 7
