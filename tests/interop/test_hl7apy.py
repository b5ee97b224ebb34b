"""Does hl7apy, written by others, judge as labmw does: the structures, the fields, what is sound and what is not?

Where the two differ, the difference stands here with its reason. hl7apy is a judge in tests only: it moves fields that it
does not know and takes a second order for a prior result, as the last tests here show.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from protocols.hl7.acknowledgment import ErrorDetail, Location, ack
from protocols.hl7.check import check, sound
from protocols.hl7.er7 import Message, build
from protocols.hl7.grammar import GroupRule, Place, grammar, match
from protocols.hl7.grammars import GRAMMARS

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.hl7"))
STRICT, TOLERANT = VALIDATION_LEVEL.STRICT, VALIDATION_LEVEL.TOLERANT


def judged(raw: bytes) -> str:
    """What hl7apy has against a message under its own version; empty when it is sound."""
    try:
        parse_message(raw.decode(), validation_level=STRICT, find_groups=True).validate()
    except HL7apyException as error:
        return f"{type(error).__name__}: {error}"
    return ""


# --- the tables ------------------------------------------------------------------------------------------------------------

_MARKS = {(1, 1): "", (0, 1): "?", (0, -1): "*", (1, -1): "+"}
_PRIOR = ("(OBX NTE*)+)+)*)", "(OBX NTE*)*)+)*)")  # a previous order without results is read
_VISIT = ("PV1 PV2?", "PV1? PV2?")  # PV1 is left out where a change is about the person alone
_CHOICE = ("(OBR RQD RQ1 RXO ODS ODT)", "OBR/RQD/RQ1/RXO/ODS/ODT")  # one of them: hl7apy has no choices

DIFFERENT: dict[str, list[tuple[str, str]]] = {
    "RSP_K11": [(" (RDF RDT*)?", "")],  # tables are for another kind of query
    "OML_O21": [_PRIOR],
    "OML_O33": [_PRIOR, ("SAC* (ORC", "SAC* INV* (ORC")],  # INV: which control is ordered, an addition as in OUL_R22
    "OML_O35": [_PRIOR],
    "ORM_O01": [_CHOICE],
    "ORR_O02": [(_CHOICE[0], f"{_CHOICE[1]}?"), ("ERR*", "ERR?")],
    "ORL_O22": [("SAC*)*)?)*)?)?", "SAC*)*)?)+)?)?")],  # a reply with content answers at least one order
    "ORL_O34": [("(SPM SAC*)*", "SPM*")],
    "ORL_O36": [("(OBR)?", "(OBR SPM*)?")],
    "ORL_O42": [(" UAC?", ""), (" PRT*", ""), ("(OBX)", "OBX"), ("(OBR)?", "(OBR SPM*)?")],
    "OUL_R21": [("(OBX? TCD? SID* NTE*)+", "(OBX TCD? SID* NTE*)*")],  # a status without results
    "OUL_R22": [("OBX TCD? SID*", "OBX TCD? INV* SID*")],  # an addition of LAW
    "ORU_R30": [("PD1? (PV1", "PD1? OBX* (PV1"), ("(OBX NTE*)+", "(OBX NTE*)+ SPM*")],  # later versions; Cepheid
    "ADT_A01": [_VISIT],
    "ADT_A03": [_VISIT],
    "ADT_A05": [_VISIT, (" UB2?", " UB2? PDA?")],
    "SSU_U03": [("(SPM OBX*)*", "(SPM OBX*)* NTE*")],
}
"""What our table changes in theirs."""

LOCAL = {"QBP_Z03", "RSP_Z02"}
"""Structures of one manufacturer."""


def ours(rule: GroupRule) -> str:
    """A table of ours in one line, without the names of its groups."""
    parts = []
    for member in rule.members:
        mark = _MARKS[int(member.required), -1 if member.repeats else 1]
        parts.append(("/".join(member.names) if isinstance(member, Place) else f"({ours(member)})") + mark)
    return " ".join(parts)


def theirs(table: Any) -> str:
    """A table of hl7apy likewise."""
    parts = [(name if kind == "SEG" else f"({theirs(inner)})") + _MARKS[often] for name, inner, often, kind in table[1]]
    return " ".join(parts)


@pytest.mark.parametrize("name", sorted(GRAMMARS.keys() - LOCAL))
def test_the_tables_of_structures_are_theirs_but_for_what_is_said_here(name: str) -> None:
    version = "v2_8_2" if name == "ORL_O42" else "v2_5_1"
    expected = theirs(import_module(f"hl7apy.{version}.messages").MESSAGES[name])
    for said, meant in DIFFERENT.get(name, []):
        assert said in expected, f"{name}: {said} is not in their table any more"
        expected = expected.replace(said, meant)
    assert ours(grammar(name)) == expected


# --- the examples ----------------------------------------------------------------------------------------------------------

EXPLAINED = {
    r"law_lab28_0[2,3,5,6,8]": "unknown Element",  # ORL_O42 is of 2.8, and LAW borrows it
    r"law_lab27_0[23]": r"Invalid children .*QPD",  # QPD-4 and further are defined by LAW
    r"law_lab29_0[1-68]": r"OBX_8|exceed the max length: 20|unknown Element",  # OBX-8 with three components, OBX-29
    r"law_lab28_0[17]|ilw_lab35_01|ltw_lab4_01": r"max limit|ORDER_PRIOR",  # a second ORC is taken for a prior result
    r"ilw_lab36_02": "MaxLengthReached",  # the report in PDF
}
"""Examples that hl7apy refuses, and why: LAW is more than 2.5.1, and the last two are faults of hl7apy."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_both_find_the_examples_sound(path: Path) -> None:
    raw = path.read_bytes()
    assert sound(check(Message.parse(raw), path.name[:3]))
    reason = next((reason for name, reason in EXPLAINED.items() if re.match(name, path.name)), "")
    complaint = judged(raw)
    if reason:
        assert re.search(reason, complaint)
    else:
        assert complaint == ""


def test_most_examples_are_sound_for_both() -> None:
    assert sum(not any(re.match(name, path.name) for name in EXPLAINED) for path in EXAMPLES) == 26


def broken(raw: bytes) -> list[tuple[str, bytes]]:
    """The message with each segment but MSH left out, and each one doubled."""
    lines = [line for line in raw.split(b"\r") if line]
    made = []
    for at in range(1, len(lines)):
        made.append((f"without {at}", lines[:at] + lines[at + 1 :]))
        made.append((f"twice {at}", lines[: at + 1] + lines[at:]))
    return [(name, b"\r".join(kept) + b"\r") for name, kept in made]


@pytest.mark.parametrize("path", [path for path in EXAMPLES if not any(re.match(name, path.name) for name in EXPLAINED)], ids=lambda path: path.stem)  # fmt: skip
def test_both_notice_a_segment_that_is_missing_or_doubled(path: Path) -> None:
    seen = set()
    for name, raw in broken(path.read_bytes()):
        fits = match(Message.parse(raw)).offences == ()
        assert fits == (judged(raw) == ""), name
        seen.add(fits)
    assert False in seen


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_both_read_the_same_fields(path: Path) -> None:
    """Every field that 2.5.1 knows; later ones hl7apy puts elsewhere."""
    raw = path.read_bytes()
    mine, other = Message.parse(raw), parse_message(raw.decode(), validation_level=TOLERANT, find_groups=False)
    assert [item.name for item in mine.segments] == [item.name for item in other.children]
    known = import_module("hl7apy.v2_5_1.segments").SEGMENTS
    compared = 0
    for item, judge in zip(mine.segments, other.children, strict=True):
        defined = {name for name, _, _, _ in known[item.name][1]}
        for n in range(1, len(item.fields)):
            if f"{item.name}_{n}" in defined:
                read = judge.children.get(f"{item.name}_{n}".lower())
                text = "~".join(one.to_er7() for one in read) if read else ""
                assert text == item.field(n), f"{item.name}-{n}"
                compared += 1
    assert compared > 10


# --- what labmw writes -----------------------------------------------------------------------------------------------------


def test_our_acknowledgments_are_sound_for_hl7apy() -> None:
    asked = Message.parse(EXAMPLES[0].read_bytes())
    problem = ErrorDetail("204", "Unknown key identifier", Location("OBR", 1, 2))
    for answer in (ack(asked, "AA", control_id="A-1", when="20260315"), ack(asked, "AE", control_id="A-2", when="20260315", error=problem)):  # fmt: skip
        assert judged(answer) == ""


def test_hl7apy_reads_what_we_escape_as_we_meant_it() -> None:
    text = "a|b^c~d\\e&f"
    raw = build(
        [
            ["MSH", None, None, "LABMW", "LAB", "DPI", "HOP", "20260315", None, ("ORU", "R01", "ORU_R01"), "1", "P", "2.5.1"],
            ["OBR", "1", None, None, ("14749-6", "Glucose", "LN")],
            ["OBX", "1", "ST", ("14749-6", "Glucose", "LN"), None, text, *[None] * 5, "F"],
        ]
    )  # fmt: skip
    assert judged(raw) == ""
    read = parse_message(raw.decode(), validation_level=STRICT, find_groups=True)
    obx = read.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation.obx
    assert obx.obx_5.value == "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f"


# --- why it is a judge and nothing more ------------------------------------------------------------------------------------


def test_hl7apy_moves_a_field_that_it_does_not_know() -> None:
    raw = next(path for path in EXAMPLES if path.name.startswith("law_lab29_03")).read_bytes()
    again = parse_message(raw.decode(), validation_level=TOLERANT).to_er7().encode() + b"\r"
    ours_again = Message.parse(raw).encode()
    assert ours_again == raw
    [sent], [moved] = Message.parse(raw).all("OBX"), Message.parse(again).all("OBX")
    assert (sent.field(29), moved.field(29), moved.field(26)) == ("RSLT", "", "RSLT")


def test_hl7apy_takes_the_second_order_for_a_prior_result() -> None:
    raw = next(path for path in EXAMPLES if path.name.startswith("ltw_lab4_01")).read_bytes()
    specimen = parse_message(raw.decode(), validation_level=TOLERANT, find_groups=True).oml_o33_specimen
    assert len(specimen.oml_o33_order) == 1
    [mine] = match(Message.parse(raw)).root.groups("SPECIMEN")
    assert len(mine.groups("ORDER")) == 2
