"""Does the check agree with the test plan of LAW: every shape of message that the profile names is sound, and what an assertion forbids is told?

The names in brackets are the assertions of the Gazelle test plan for LAW, as far as they are known.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from deviant import EXAMPLES, Edit, after, changed, drop, example, put

from protocols.hl7.check import check
from protocols.hl7.er7 import Message

QBP, RSP, OML, ORL, OUL = "law_lab27_01", "law_lab27_05", "law_lab28_01", "law_lab28_02", "law_lab29_01"
NONE, QC, REFLEX, FAILED = "law_lab28_04", "law_lab29_03", "law_lab29_05", "law_lab29_06"
ADDED = "OBX|2|{type}|14749-6^Glucose^LN|{run}|{value}|{unit}||N^Normal^HL70078|||{status}|||||TECH01||CHEM-X1^ACME|20260315083015+0100||||||||||RSLT"


def observed(value: str, kind: str = "NM", unit: str = "mmol/L^^UCUM", run: str = "1", status: str = "F") -> Edit:
    """A second observation under the first test."""
    return after("INV", ADDED.format(type=kind, run=run, value=value, unit=unit, status=status))


SHAPES: dict[str, tuple[str, tuple[Edit, ...]]] = {
    # LAB-27
    "by container": (QBP, ()),
    "by rack": ("law_lab27_02", ()),
    "by tray": ("law_lab27_03", ()),
    "all": ("law_lab27_04", ()),
    "by rack without location": ("law_lab27_02", (put("QPD-8", ""),)),
    "query taken [LAB27-003]": (RSP, ()),
    "query refused": ("law_lab27_06", ()),
    # LAB-28
    "one AWOS": (OML, (*[drop(f"{name}[3]") for name in ("TCD", "OBR", "TQ1", "ORC")], *[drop(f"{name}[2]") for name in ("TCD", "OBR", "TQ1", "ORC")])),
    "several AWOS": (OML, ()),
    "no patient": (OML, (drop("PV1"), drop("PID"))),
    "several specimens": (OML, (after("TCD[3]", "SPM|2|26031500124&LABMW||PLAS^Plasma^HL70487|||||||P"), after("SPM[2]", "SAC|||26031500124"), after("SAC[2]", "ORC|NW||||||||20260315081200+0100"), after("ORC[4]", "OBR||AWOS-000460^LABMW||14749-6^Glucose^LN"))),
    "control material": ("law_lab28_09", ()),
    "a pool": (OML, (put("SPM-11", "L^Pooled patient specimens^HL70369"),)),
    "a volume to use": (OML, (put("TCD-9", "850^uL&&UCUM"),)),
    "a reflex test of the manager": (OML, (put("TCD-8", "F^Reflex^HL70389"),)),
    "accepted and refused [LAB28-004]": (ORL, ()),
    "already being done [LAB28-004]": (ORL, (put("ORC-5", "IP"),)),
    "refused as a whole": ("law_lab28_03", ()),
    "no work [LAB28-001, LAB27-004]": (NONE, ()),
    "the reply to no work [LAB28-009]": ("law_lab28_05", ()),
    "container not recognised [LAB28-008]": ("law_lab28_06", ()),
    "cancel": ("law_lab28_07", ()),
    "cancelled, and too late [LAB28-005, LAW-004]": ("law_lab28_08", ()),
    # LAB-29
    "a number": (OUL, ()),
    "a structured number": ("law_lab29_02", ()),
    "a titre": (OUL, (observed("^1^:^64", "SN", "{titer}^^UCUM"),)),
    "a code": (OUL, (observed("10828004^Positive^SCT", "CE", ""),)),
    "a text": (OUL, (observed("lipaemic \\T\\ icteric", "ST", ""),)),
    "a picture": (OUL, (observed("^image^png^Base64^iVBORw0KGgo=", "ED", ""),)),
    "a type of a later version": (OUL, (observed("12^34^56", "NA", ""),)),
    "a supplementary observation": (OUL, (observed("27.4"), put("OBX[2]-3", "14749-6^Glucose^LN^S_OTHER^Other Supplemental^IHELAW"))),
    "several tests": (OUL, ()),
    "several specimens in one message": (OUL, (after("TCD[2]", "SPM|2|26031500124&LABMW||PLAS^Plasma^HL70487|||||||P"), after("SPM[2]", "SAC|||26031500124"), after("SAC[2]", "OBR||AWOS-000461^LABMW||14749-6^Glucose^LN"), after("OBR[3]", "ORC|SC||||IP"))),
    "a control": (QC, ()),
    "what was used for it": (OUL, (after("INV", "INV|DIL1^Diluent^99ACME|OK|DI^Diluent^HL70384"),)),
    "nobody asked for it [LAB29-003]": ("law_lab29_04", ()),
    "a reflex of the analyzer [LAW-007]": (REFLEX, ()),
    "a reflex of several tests": (REFLEX, (put("ORC-8", "AWOS-000453&LABMW~AWOS-000454&LABMW"),)),
    "a rerun, one candidate": ("law_lab29_02", ()),
    "a rerun, two candidates": (OUL, (observed("5.45", run="2"),)),
    "a correction": ("law_lab29_08", ()),
    "not performed": (FAILED, ()),
    "in process": ("law_lab29_07", ()),
    "results over time [LAW-006]": (OUL, (put("ORC-5", "IP"), put("OBX-11", "P"))),
    "acknowledged": ("law_lab29_09", ()),
    "refused": ("law_lab29_10", ()),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_law_is_sound(shape: str) -> None:
    base, edits = SHAPES[shape]
    told = check(Message.parse(changed(base, *edits)), "law")
    assert [item.rule for item in told if item.rule != "LAW-OBX-6"] == []  # an index has no unit


FORBIDDEN: dict[str, tuple[str, tuple[Edit, ...], str]] = {
    "LAB27-001: one query for each specimen": (QBP, (after("QPD", "QPD|WOS^Work Order Step^IHELAW|Q-2|26031500124"),), "HL7-GRAMMAR-REPEATED"),
    "LAB27-003: no work is no error": (RSP, (put("QAK-2", "NF"),), "LAW-QAK-2"),
    "LAB27-004: no work is DC": (NONE, (put("ORC-1", "OC"),), "LAW-ORC-1"),
    "LAB27-005: a query for all names nothing": ("law_lab27_04", (put("QPD-8", "LOADER1"),), "LAW-QPD-ONLY"),
    "LAB27-006: a query by rack names no container": ("law_lab27_02", (put("QPD-3", "26031500123"),), "LAW-QPD-ONLY"),
    "LAB27-007: a query by tray names no rack": ("law_lab27_03", (put("QPD-5", "3"),), "LAW-QPD-ONLY"),
    "an unknown query": (QBP, (put("QPD-1", "WOS_NEXT"),), "LAW-QPD-1"),
    "LAB28-001: no work holds nothing else": (NONE, (after("ORC", "OBR||AWOS-1||14749-6^Glucose^LN"),), "LAW-NEGATIVE-ONLY"),
    "LAB28-004: UA is cancelled": (ORL, (put("ORC[3]-5", "SC"),), "LAW-ORL-STATUS"),
    "LAB28-005: CR is cancelled": ("law_lab28_08", (put("ORC-5", "IP"),), "LAW-ORL-STATUS"),
    "LAB28-006: an AWOS is never used again": (OML, (put("OBR[2]-2", "AWOS-000451^LABMW"),), "LAW-AWOS-UNIQUE"),
    "LAB28-008: a refusal says why": ("law_lab28_06", (drop("ERR"),), "LAW-ERR-ABSENT"),
    "LAB29-003: without order the AWOS is the null": (OUL, (put("OBR-2", ""),), "LAW-OUL-OBR-2"),
    "LAW-005: an order has its AWOS": (OML, (put("OBR-2", ""),), "LAW-OBR-2"),
    "LAW-007: a reflex has no AWOS of its own": (REFLEX, (put("OBR-2", "AWOS-9^LABMW"),), "LAW-REFLEX-AWOS"),
    "a reply: a refusal carries no specimens": (ORL, (put("MSA-1", "AE"),), "LAW-ORL-REFUSED"),
    "results: the patient stands before the specimens": (OUL, (after("TCD", "PID|||P1^^^LAB^PI||ESSAI"),), "HL7-GRAMMAR-UNEXPECTED"),
    "results: a picture that is none": (OUL, (observed("^image^png^Base64^***", "ED", ""),), "HL7-VALUE-ED"),
    "status: X is no value": (OUL, (put("OBX-11", "X"),), "LAW-OBX-X"),
    "status: F needs a value": (FAILED, (put("OBX-11", "F"),), "LAW-OBX-5"),
}  # fmt: skip


@pytest.mark.parametrize("assertion", FORBIDDEN)
def test_what_an_assertion_forbids_is_told(assertion: str) -> None:
    base, edits, rule = FORBIDDEN[assertion]
    assert rule not in {item.rule for item in check(Message.parse(example(base)), "law")}
    told = {item.rule: item.source for item in check(Message.parse(changed(base, *edits)), "law")}
    assert rule in told
    identifier = assertion.partition(":")[0]
    if rule.startswith("LAW-") and identifier.startswith("LA") and rule not in ("LAW-QPD-1", "LAW-ERR-ABSENT"):
        assert identifier in told[rule], "the source names the assertion"


MAY_BE_LEFT_OUT = {
    "": "MSH-3 MSH-4 MSH-5 MSH-6 MSH-17 MSH-18 ERR-2 ERR-8 PID-1 PID-7 PID-8 PID-11 PV1-1 NTE-1 NTE-2 NTE-3 TQ1-1 TQ1-9 "
    "SPM-12 SPM-17 SPM-18 SPM-20 SPM-21 OBR-1 OBX-7 OBX-8 INV-12 INV TCD TQ1 PV1 NTE TCD-2",
    "law": "QPD-8 OBR-11 SPM-2 PID INV-16",
    "law ORL": "SAC-3 SPM-1 SPM-11 ORC",  # ORL_O42: what is answered is told by ORC-2
    "law RSP": "QPD-3",  # of a query that is refused
    "ltw": "ORC-4 SPM-1 SPM-11 SAC SAC-3 OBR-7 OBR-22 OBX-14 OBX-16 OBX-18 OBX-19 ORC-2 ORC-3 ORC-5",
    "ltw OUL": "PID OBR-2",
    "ltw ORL": "SPM SPM-2 ORC ORC-9",
    "ltw ORU": "SPM OBR-2",
    "ilw": "SPM SPM-1 SPM-2 SAC SAC-3 OBR-7 OBR-22 OBX-14 OBX-19 ORC-3 ORC-5 ORC-12 ORC-16 OBR-3",
    "ilw ORL": "OBR OBR-2 OBR-16 ORC-4 ORC-9 ORC-21",  # it repeats what it answers
    "ilw ORU": "OBR-2 OBR-16 ORC-4 ORC-9 ORC-21",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.hl7")), ids=lambda path: path.stem)
def test_nothing_is_left_out_of_an_example_unnoticed(path: Path) -> None:
    """Every field and every segment, one at a time: what may be missing is written down above, and everything else is told."""
    profile, code = path.name[:3], Message.parse(path.read_bytes()).code
    allowed = {one for key in ("", profile, f"{profile} {code}") for one in MAY_BE_LEFT_OUT.get(key, "").split()}
    lines = path.read_bytes().decode().split("\r")[:-1]

    def told(changed: list[str]) -> Counter[tuple[str, str, int]]:
        found = check(Message.parse("".join(line + "\r" for line in changed).encode()), profile)
        return Counter((one.rule, one.segment, one.field) for one in found)

    before, silent = told(lines), set()
    for at, line in enumerate(lines):
        cells = line.split("|")
        if at and not told([*lines[:at], *lines[at + 1 :]]) - before:
            silent.add(cells[0])
        for n in range(2 if at == 0 else 1, len(cells)):
            without = [*cells[:n], "", *cells[n + 1 :]]
            if cells[n] and not told([*lines[:at], "|".join(without), *lines[at + 1 :]]) - before:
                silent.add(f"{cells[0]}-{n + (at == 0)}")
    assert silent <= allowed


MAY_STAND_TWICE = {"ERR", "NTE", "INV"}
"""ERR and NTE each say something further; reagents (INV behind TCD) are many."""


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.hl7")), ids=lambda path: path.stem)
def test_nothing_stands_twice_in_an_example_unnoticed(path: Path) -> None:
    """Every segment, one at a time, is put there once more: at least a warning says so."""
    lines = path.read_bytes().decode().split("\r")[:-1]

    def told(changed: list[str]) -> Counter[str]:
        found = check(Message.parse("".join(line + "\r" for line in changed).encode()), path.name[:3])
        return Counter(one.rule for one in found)

    before = told(lines)
    silent = {line[:3] for at, line in enumerate(lines) if at and not told([*lines[: at + 1], *lines[at:]]) - before}
    assert silent <= MAY_STAND_TWICE
