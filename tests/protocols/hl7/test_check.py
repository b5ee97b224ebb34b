"""Is every deviation told, at its place, and nothing else? One message for each rule, which breaks this rule alone."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from deviant import EXAMPLES, Edit, after, changed, drop, example, put

from labmw.phrases import codes, facts_of
from protocols.errors import Hl7Error
from protocols.hl7 import check_core, check_lab, check_law
from protocols.hl7.check import MOST, PROFILES, Deviation, Severity, check, profile_of, sound
from protocols.hl7.check_fields import Place
from protocols.hl7.check_subject import Subject
from protocols.hl7.er7 import Message
from protocols.hl7.grammar import Misfit
from protocols.hl7.names import TITLES, field_name
from protocols.hl7.tables import IN_FIELD

ROOT = Path(__file__).parents[3]
FILES = sorted(EXAMPLES.glob("*.hl7"))
CORE = "core"  # the rules of HL7 itself, which hold in every profile


def found(raw: bytes, profile: str) -> list[Deviation]:
    message = Message.parse(raw)
    return list(check_core.check_core(Subject(message))) if profile == CORE else check(message, profile)


@dataclass(frozen=True)
class Case:
    """A rule, the place where it is broken, and the message that breaks it."""

    rule: str
    where: str
    base: str
    edits: tuple[Edit, ...] = ()
    profile: str = ""
    raw: tuple[bytes, bytes] = (b"", b"")

    @property
    def judged_as(self) -> str:
        return self.profile or (CORE if self.rule.startswith("HL7") else self.base[:3])

    def message(self) -> bytes:
        raw = changed(self.base, *self.edits)
        return raw.replace(*self.raw) if self.raw[0] else raw


def one(rule: str, base: str, place: str, value: str, *more: Edit, profile: str = "") -> Case:
    """A rule broken by what stands in one field."""
    name, _, rest = place.partition("-")
    where = f"{name if '[' in name else name + '[1]'}-{rest}"
    return Case(rule, where, base, (put(place, value), *more), profile)


def other(
    rule: str, base: str, where: str, *edits: Edit, profile: str = "", raw: tuple[bytes, bytes] = (b"", b"")
) -> Case:
    """A rule broken otherwise."""
    return Case(rule, where, base, edits, profile, raw)


QBP, RSP, OML, ORL, OUL = "law_lab27_01", "law_lab27_05", "law_lab28_01", "law_lab28_02", "law_lab29_01"
NONE, QC, REFLEX, FAILED, REFUSAL = "law_lab28_04", "law_lab29_03", "law_lab29_05", "law_lab29_06", "law_lab29_10"
REPORT, WORK, TAKEN, RESULTS, ACK = "ltw_lab3", "ltw_lab4_01", "ltw_lab4_02", "ltw_lab5_01", "ltw_lab5_02"
SUBORDER, STARTED, REJECTED, PARTIAL, UNKNOWN = (
    "ilw_lab35_01",
    "ilw_lab35_07",
    "ilw_lab35_09",
    "ilw_lab36_01",
    "ilw_lab36_05",
)
INS = "285047599900181^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
ERR = "ERR||SAC^1^3|204^Unknown key identifier^HL70357|E"
TWICE = "PAT000417^^^LABODEMO^PI~" * 101

HL7_CASES = [
    *(one(f"HL7-MSH-{n}", ACK, f"MSH-{n}", "") for n in (7, 9, 10, 11, 12)),
    one("HL7-MSH-10-LENGTH", ACK, "MSH-10", "x" * 200),
    one("HL7-MSH-12-TABLE", ACK, "MSH-12", "3.0"),
    one("HL7-MSA-1", ACK, "MSA-1", ""),
    one("HL7-MSA-2", ACK, "MSA-2", ""),
    one("HL7-QPD-1", QBP, "QPD-1", ""),
    one("HL7-PID-3", OML, "PID-3", ""),
    one("HL7-PID-5", OML, "PID-5", ""),
    one("HL7-PV1-2", OML, "PV1-2", ""),
    one("HL7-MRG-1", "adt_a40", "MRG-1", ""),
    one("HL7-EVN-2", "adt_a40", "EVN-2", ""),
    one("HL7-ORC-1", OML, "ORC[2]-1", ""),
    one("HL7-OBR-4", OML, "OBR[2]-4", ""),
    one("HL7-OBX-3", OUL, "OBX[2]-3", ""),
    one("HL7-OBX-11", OUL, "OBX[2]-11", ""),
    one("HL7-SPM-4", OUL, "SPM-4", ""),
    one("HL7-TCD-1", OUL, "TCD-1", ""),
    one("HL7-INV-1", OUL, "INV-1", ""),
    one("HL7-INV-2", OUL, "INV-2", ""),
    one("HL7-TYPE", ACK, "MSH-9", "ZZZ^Z01^ZZZ_Z01"),
    one("HL7-STRUCTURE", WORK, "MSH-9.3", "OML_O21"),
    one("HL7-CHARSET", WORK, "MSH-18", "RUNES"),
    other("HL7-CHARSET-BYTES", "law_lab29_01", "MSH[1]-18", raw=("Léa".encode(), b"L\xe9a")),
    other("HL7-LINE-END", ACK, "MSH[1]", raw=(b"\r", b"\n")),
    other("HL7-LINE-FEED", SUBORDER, "NTE[1]", raw=(b"coeliaque, r", b"coeliaque\nr")),
    one("HL7-OBX-2", OUL, "OBX-2", ""),
    one("HL7-VALUE-NM", OUL, "OBX-5", "5,42"),
    one("HL7-VALUE-SN", "law_lab29_02", "OBX-5", ">^^-^5"),
    *(other(f"HL7-VALUE-{kind}", OUL, "OBX[1]-5", put("OBX-2", kind), put("OBX-5", value)) for kind, value in {
        "DT": "2026-03-15", "TM": "8h30", "TS": "20261315", "DTM": "tomorrow", "CE": "^^SCT", "CWE": "^^SCT", "CNE": "^^SCT",
        "ED": "^application^pdf^Base64^%PDF",
    }.items()),
    other("HL7-VALUE-ED", OUL, "OBX[1]-5", put("OBX-2", "ED"), put("OBX-5", "^application^pdf^Gzip^abcd")),
    other("HL7-ERR-1", UNKNOWN, "ERR[1]-1", put("ERR-1", "OBR^1^2^204"), put("ERR-3", "")),
    one("HL7-ERR-2", UNKNOWN, "ERR-2", "the second OBR"),
    one("HL7-ERR-3", UNKNOWN, "ERR-3", ""),
    one("HL7-ERR-4", UNKNOWN, "ERR-4", ""),
    *(one(f"HL7-SET-ID-{name}", base, f"{name}-1", "first") for name, base in {
        "PID": SUBORDER, "PV1": SUBORDER, "TQ1": SUBORDER, "OBR": SUBORDER, "NTE": SUBORDER, "OBX": REPORT, "SPM": REPORT,
    }.items()),
    other("HL7-GRAMMAR-MISSING", ACK, "MSA", drop("MSA")),
    other("HL7-GRAMMAR-MISSING", REPORT, "OBR", drop("OBR")),
    other("HL7-GRAMMAR-UNEXPECTED", OUL, "SAC[2]", after("OBX[2]", "SAC|||26031500123")),
    other("HL7-GRAMMAR-FOREIGN", OUL, "FT1[1]", after("OBX[2]", "FT1|1")),
    other("HL7-GRAMMAR-REPEATED", OML, "PV1[2]", after("PV1", "PV1||U")),
    other("HL7-GRAMMAR-NAMELESS", OML, "line[3]", after("PID", "the rest of an address")),
]  # fmt: skip

TABLES = {
    "0103": (ACK, "MSH-11"), "0155": (ACK, "MSH-15"), "0008": (ACK, "MSA-1"), "0357": (UNKNOWN, "ERR-3"), "0516": (UNKNOWN, "ERR-4"),
    "0208": (RSP, "QAK-2"), "0001": (OML, "PID-8"), "0119": (OML, "ORC-1"), "0038": (OUL, "ORC-5"), "0065": (REFLEX, "OBR-11"),
    "0123": (REPORT, "OBR-25"), "0485": (OML, "TQ1-9"), "0125": (OUL, "OBX-2"), "0085": (OUL, "OBX-11"), "0936": (OUL, "OBX-29"),
    "0937": (OUL, "OBX-30"), "0369": (OML, "SPM-11"), "0136": (REJECTED, "SPM-20"), "0490": (REJECTED, "SPM-21"), "0383": (OUL, "INV-2"),
    "0384": (OUL, "INV-3"), "0389": (OML, "TCD-8"), "0105": (SUBORDER, "NTE-2"), "0394": (QBP, "RCP-3.1"), "0078": (OUL, "OBX-8.1"),
    "0004": (OML, "PV1-2"),
}  # fmt: skip
TABLE_CASES = [Case(f"HL7-TABLE-{table}", f"{place[:3]}[1]{place[3:].partition('.')[0]}", base, (put(place, "??"),)) for table, (base, place) in TABLES.items()]  # fmt: skip

BASES = {"MSH": ACK, "EVN": "adt_a40", "PID": OML, "ORC": OML, "TQ1": OML, "OBR": OML, "OBX": OUL, "SPM": OML, "SAC": OML, "INV": OUL, "EQU": "ssu_u03"}  # fmt: skip
TIME_CASES = [one(rule.name, BASES[rule.place.segment], rule.name.removeprefix("HL7-TIME-"), "2026-03-15") for rule in check_core.TIMES]  # fmt: skip

LAW_CASES = [
    other("LAW-MSH-1", QBP, "MSH[1]-1", raw=(b"|", b"!")),
    other("LAW-MSH-2", QBP, "MSH[1]-2", raw=(b"^~\\&", b"^~\\&#")),
    one("LAW-MSH-7-ZONE", QBP, "MSH-7", "20260315081700"),
    one("LAW-MSH-9", QBP, "MSH-9", "QBP^Q11"),
    one("LAW-MSH-10", QBP, "MSH-10", "x" * 37),
    one("LAW-MSH-12", QBP, "MSH-12", "2.5"),
    one("LAW-MSH-15", QBP, "MSH-15", "ER"),
    one("LAW-MSH-15", OML, "MSH-15", ""),
    one("LAW-MSH-16", OUL, "MSH-16", "NE"),
    one("LAW-MSH-15-REPLY", RSP, "MSH-15", "NE"),
    one("LAW-MSH-16-REPLY", ORL, "MSH-16", "NE"),
    one("LAW-MSH-18", QBP, "MSH-18", "ASCII"),
    one("LAW-MSH-21", QBP, "MSH-21", ""),
    one("LAW-MSH-21-VALUE", QBP, "MSH-21", "LAB-27R^ROCHE"),
    one("LAW-ACK", REFUSAL, "MSH-9.2", "R01"),
    one("LAW-MSA-1", ORL, "MSA-1", "CA"),
    other("LAW-TYPE", REPORT, "MSH[1]-9", profile="law"),
    other("LAW-ERR", REFUSAL, "ERR[1]", put("MSA-1", "AA")),
    other("LAW-ERR-ABSENT", REFUSAL, "ERR", drop("ERR")),
    # LAB-27
    one("LAW-QPD-1", QBP, "QPD-1", "WOS_NEXT^Next^IHELAW"),
    one("LAW-QPD-1-SYSTEM", QBP, "QPD-1.3", "99ACME"),
    one("LAW-QPD-2", QBP, "QPD-2", ""),
    one("LAW-QPD-NEEDS", QBP, "QPD-3", ""),
    one("LAW-QPD-NEEDS", "law_lab27_02", "QPD-5", ""),
    one("LAW-QPD-NEEDS", RSP, "QPD-3", ""),
    one("LAW-QPD-NEEDS", "law_lab27_03", "QPD-6", ""),
    one("LAW-QPD-ONLY", "law_lab27_02", "QPD-3", "26031500123"),  # LAB27-006
    one("LAW-QPD-ONLY", "law_lab27_03", "QPD-4", "R0042"),  # LAB27-007
    one("LAW-QPD-ONLY", "law_lab27_04", "QPD-3", "26031500123"),  # LAB27-005
    one("LAW-RCP-1", QBP, "RCP-1", "D"),
    one("LAW-RCP-3", QBP, "RCP-3", "B^Batch^HL70394"),
    one("LAW-QAK-1", RSP, "QAK-1", ""),
    one("LAW-QAK-2", RSP, "QAK-2", "NF"),  # LAB27-003: no work is OK too
    one("LAW-QAK-3", RSP, "QAK-3", ""),
    one("LAW-QAK-MSA", RSP, "QAK-2", "AE"),
    one("LAW-QAK-QPD", RSP, "QAK-1", "Q-1"),
    one("LAW-QAK-QPD", RSP, "QAK-3", "WOS_ALL^Work Order Step All^IHELAW"),
    # LAB-28
    one("LAW-SPM-1", OML, "SPM-1", ""),
    one("LAW-SPM-4-SYSTEM", OUL, "SPM-4", "SER"),
    one("LAW-SPM-11", OML, "SPM-11", "R^Replicate^HL70369"),
    one("LAW-ORC-1", OML, "ORC[2]-1", "SC"),
    one("LAW-ORC-9", OML, "ORC[3]-9", ""),
    one("LAW-OBR-2", OML, "OBR[2]-2.1", ""),  # LAW-005
    one("LAW-OBR-4-PARTS", OML, "OBR-4.1", ""),
    one("LAW-OBR-4-SYSTEM", OML, "OBR-4.3", ""),
    one("LAW-TCD-1", OML, "TCD[2]-1", "14749-6^Glucose^LN"),
    other("LAW-NTE-2", OML, "NTE[1]-2", after("TCD", "NTE|1|Z|haemolysed")),
    one("LAW-AWOS-UNIQUE", OML, "OBR[3]-2", "AWOS-000451^LABMW"),  # LAB28-006
    other("LAW-ORDER-OBR", OML, "ORC[3]", drop("OBR[3]"), drop("TCD[3]")),
    other("LAW-SAC", OML, "SAC", drop("SAC")),
    other("LAW-SAC-ONE", OML, "SAC[2]", after("SAC", "SAC|||26031500124")),
    other("LAW-SAC-ONE", OUL, "SAC[2]", after("SAC", "SAC|||26031500123")),
    other("LAW-SAC-ONE", ORL, "SAC[2]", after("SAC", "SAC|||26031500124")),
    other("LAW-TQ1-ONE", OML, "TQ1[2]", after("TQ1", "TQ1|||||||||S^Stat^HL70485")),
    other("LAW-SEGMENT", OML, "PD1[1]", after("PID", "PD1|A")),
    other("LAW-ORL-ONCE", ORL, "ORC[2]-2", put("ORC[2]-2", "AWOS-000451^LABMW")),
    other("LAW-ORL-SAC", ORL, "SAC", drop("SAC")),
    other("LAW-ORL-ORC", ORL, "ORC", after("MSA", "SPM|1|26031500129&LABMW||SER^Serum^HL70487|||||||P"), after("SPM", "SAC|||26031500129")),
    other("LAW-OBX-SAME", OUL, "OBX[2]-4", after("INV", "OBX|2|NM|14749-6^Glucose^LN|1|5.5|mmol/L^^UCUM||N^Normal^HL70078|||F|||||TECH01||CHEM-X1^ACME|20260315083015+0100||||||||||RSLT")),
    one("LAW-SAC-3", OML, "SAC-3", ""),
    other("LAW-SPECIMEN-ID", OML, "SPM[1]-2", put("SPM-2", ""), put("SAC-3", "")),
    other("LAW-NEGATIVE-ONLY", NONE, "PID[1]", after("MSH", "PID|||P1^^^LAB^PI||ESSAI")),  # LAB28-001
    other("LAW-NEGATIVE-ONLY", NONE, "NTE[1]", after("MSH", "NTE|1|A|cancelled by the ward")),
    other("LAW-NEGATIVE-ONE", NONE, "ORC[2]-1", after("ORC", "ORC|DC||||||||20260315081702+0100")),
    one("LAW-ORL-ORC-1", ORL, "ORC-1", "SC"),
    one("LAW-ORL-ORC-2", ORL, "ORC-2", ""),
    one("LAW-ORL-ORC-5", ORL, "ORC-5", ""),
    one("LAW-ORL-STATUS", ORL, "ORC-5", "CA"),  # LAB28-004
    one("LAW-ORL-STATUS", "law_lab28_08", "ORC[2]-5", "CA"),  # LAB28-005: UC with CA
    other("LAW-ORL-REFUSED", ORL, "SPM[1]", put("MSA-1", "AE"), after("MSA", ERR)),
    Case("LAW-ORL-STRUCTURE", "MSH[1]-9.3", ORL, (put("MSH-9.3", "ORL_O34"), after("MSA", "PID|||P1^^^LAB^PI||ESSAI"))),
    # LAB-29
    one("LAW-OUL-SPM-11", OUL, "SPM-11", ""),
    one("LAW-OUL-OBR-2", OUL, "OBR-2", ""),  # LAB29-003: the null says that there is no AWOS
    one("LAW-OUL-OBR-4", OUL, "OBR-4.1", ""),
    other("LAW-OUL-ORC", OUL, "OBR[2]", drop("ORC[2]")),
    one("LAW-OUL-ORC-1", OUL, "ORC-1", "OK"),
    one("LAW-OUL-ORC-5", OUL, "ORC-5", "HD"),
    one("LAW-OBX-1", OUL, "OBX[2]-1", ""),
    one("LAW-OBX-1-ORDER", OUL, "OBX[2]-1", "2"),
    one("LAW-OBX-3", OUL, "OBX-3.1", ""),
    one("LAW-OBX-3-SYSTEM", OUL, "OBX-3", "GLU"),
    one("LAW-OBX-4", OUL, "OBX-4", ""),
    one("LAW-OBX-4-RUN", OUL, "OBX-4", "1/1"),
    one("LAW-OBX-6-SYSTEM", OUL, "OBX-6", "mmol/L"),
    one("LAW-OBX-6-SYSTEM", OUL, "OBX-6.3", "99ACME"),
    other("LAW-OBX-5", OUL, "OBX[1]-5", put("OBX-5", ""), put("OBX-2", "")),
    one("LAW-OBX-6", OUL, "OBX-6", ""),
    one("LAW-OBX-11", OUL, "OBX-11", "S"),
    one("LAW-OBX-16", OUL, "OBX-16", ""),
    one("LAW-OBX-18", OUL, "OBX-18", ""),
    one("LAW-OBX-19", OUL, "OBX-19", ""),
    one("LAW-OBX-29", OUL, "OBX-29", ""),
    one("LAW-INV-3", OUL, "INV-3", ""),
    other("LAW-OBX-X", OUL, "OBX[1]-5", put("OBX-11", "X")),
    one("LAW-OBX-2-EMPTY", FAILED, "OBX-2", "NM"),
    other("LAW-QC-INV", QC, "SPM[1]-11", drop("INV")),
    one("LAW-REFLEX-AWOS", REFLEX, "OBR-2", "AWOS-000454^LABMW"),  # LAW-007
    one("LAW-QC-LOT", QC, "INV-16", ""),
    one("LAW-REFLEX-G", REFLEX, "OBR-11", ""),
    one("LAW-REFLEX-PARENT", REFLEX, "ORC-8", ""),
    other("LAW-CM-RESULT", QC, "ORC[1]-5", drop("OBX")),
]  # fmt: skip

LAB_CASES = [
    one("LAB-MSH-9", ACK, "MSH-9", "ACK"),
    one("LAB-MSH-15", ACK, "MSH-15", "NE"),
    one("LAB-MSH-16", ACK, "MSH-16", "AL"),
    one("LAB-MSH-7-ZONE", ACK, "MSH-7", "20260315083501"),
    one("LAB-MSA-1", ACK, "MSA-1", "CA"),
    other("LAB-TYPE", ACK, "MSH[1]-9", put("MSH-9", "QCN^J01^QCN_J01"), drop("MSA"), after("MSH", "QID|Q-1|WOS")),
    other("LAB-ERR", UNKNOWN, "ERR[1]", put("MSA-1", "AA")),
    one("LAB-PID-3-AUTHORITY", REPORT, "PID-3.4", ""),
    one("LAB-PID-3-REPEATS", REPORT, "PID-3", TWICE[:-1]),
    one("LAB-ORC-1", WORK, "ORC-1", "HD"),
    one("LAB-ORC-2", WORK, "ORC-2", ""),
    one("LAB-ORC-7", WORK, "ORC-7", "1^once"),
    one("LAB-ORC-9", WORK, "ORC-9", ""),
    one("LAB-OBR-2", WORK, "OBR[2]-2", ""),
    one("LAB-OBR-4-PARTS", WORK, "OBR[2]-4", "14682-9^Creatinine"),
    *(one(f"LAB-OBR-{n}", WORK, f"OBR-{n}", "20260315") for n in (5, 6, 8, 12, 13, 14, 15, 22, 27)),
    one("LAB-OBR-16", WORK, "OBR-16", ""),
    one("LAB-OBR-16", SUBORDER, "OBR-16", ""),
    one("LAB-OBR-3", REPORT, "OBR-3", ""),
    one("LAB-OBR-25", REPORT, "OBR-25", ""),
    one("LAB-OBX-1", REPORT, "OBX-1", ""),
    one("LAB-OBX-3", REPORT, "OBX-3.3", ""),
    other("LAB-OBX-11", REPORT, "OBX[1]-11", put("OBX-11", "U"), put("OBR-25", "S"), put("ORC-5", "IP")),
    *(one(f"LAB-OBX-{n}", REPORT, f"OBX-{n}", "20260315") for n in (9, 10, 12)),
    other("LAB-OBX-5", REPORT, "OBX[1]-5", put("OBX-5", ""), put("OBX-2", "")),
    one("LAB-OBX-6", REPORT, "OBX-6", ""),
    one("LAB-SPM-2", WORK, "SPM-2", ""),
    other("LAB-SAC-ONCE", WORK, "SAC[2]-3", after("SAC", "SAC|||26031500123")),
    other("LAB-SAC-SEVERAL", WORK, "SAC[2]-3", after("SAC", "SAC|||26031500124")),
    other("LAB-SPM-ONCE", REPORT, "SPM[2]-2", after("SPM", "SPM|2|26031500123&LABMW||SER^Serum^HL70487|||||||P^Patient specimen^HL70369")),
    other("LAB-TQ1-ONE", WORK, "TQ1[2]", after("TQ1", "TQ1|2||||||||S^Stat^HL70485")),
    other("LAB-ORDER-ONCE", WORK, "ORC[2]-2", put("ORC[2]-2", "WO-55101^LIS-X"), put("OBR[2]-2", "WO-55101^LIS-X")),
    other("LAB-ORL-ONCE", TAKEN, "ORC[2]-2", put("ORC[2]-2", "WO-55101^LIS-X")),
    other("LAB-OBX-SAME", REPORT, "OBX[2]-4", after("OBX", "OBX|2|NM|14749-6^Glucose^LN||5.5|mmol/L^mmol/L^UCUM||N|||F|||20260315073000+0100||TECH01||CHEM-X1^ACME|20260315083015+0100")),
    other("LAB-RESULT-ORC", RESULTS, "OBR[2]", drop("ORC[2]")),
    other("LAB-RESULT-ORC", REPORT, "OBR[1]", drop("ORC")),  # the only one of its message
    other("LAB-RESULT-ORC", PARTIAL, "OBR[1]", drop("ORC")),
    other("LAB-RESULT-OBX", REPORT, "OBR[1]-25", drop("OBX")),
    one("LAB-OBX-1-ORDER", REPORT, "OBX-1", "2"),
    other("LAB-ORDER-OBR", WORK, "ORC[2]", drop("OBR[2]")),
    other("LAB-ERR-ABSENT", UNKNOWN, "ERR", drop("ERR")),
    one("LAB-COHERENT-ORC-5", REPORT, "ORC-5", "IP"),
    one("LAB-COHERENT-NUMBER", REPORT, "ORC-2", "PO-2^DPI"),
    one("LAB-COHERENT-NUMBER", WORK, "ORC-2", "WO-9^LIS-X"),
    one("LAB-COHERENT-NUMBER", "ilw_lab35_02", "ORC-3", "S26-0^LABOSPE"),
    one("LAB-COHERENT-OBX-11", REPORT, "OBX-11", "P"),
    one("LAB-ORL-ORC-2", TAKEN, "ORC-2", ""),
    one("LAB-ORL-ORC-3", TAKEN, "ORC-3", ""),
    other("LAB-ORL-STATUS", TAKEN, "ORC[1]-5", put("ORC-1", "UA")),
    one("LAB-SC-STATUS", STARTED, "ORC-5", ""),
    one("ILW-ORC-21", SUBORDER, "ORC-21", ""),
    one("ILW-ORC-4", SUBORDER, "ORC-4", ""),
    one("ILW-ORC-2", PARTIAL, "ORC-2", ""),
    one("ILW-ORC-3", PARTIAL, "ORC-3", ""),
    one("ILW-SPM-2", SUBORDER, "SPM-2", ""),
    one("ILW-OBX-23", PARTIAL, "OBX-23", ""),
    other("ILW-OC-REASON", REJECTED, "ORC[1]-16", put("ORC-16", ""), put("SPM-21", "")),
    Case("INS-UNQUALIFIED", "PID[1]-32", PARTIAL, (put("PID-32", "PROV"),), "ilw"),
    Case("INS-UNSOUND", "PID[1]-3", PARTIAL, (put("PID-3", INS.replace("0181", "0182")),), "ilw"),
    Case("INS-SEVERAL", "PID[1]-3", PARTIAL, (put("PID-3", f"{INS}~{INS}"),), "ilw"),
    Case("INS-TEST", "PID[1]-3", REPORT, (put("PID-3", INS), put("PID-32", "VALI")), "ltw"),
    Case("INS-DATES", "PID[1]-3", PARTIAL, (put("PID-3", f"{INS}^^20260101"),), "ilw"),
    Case("INS-TRAITS", "PID[1]-8", PARTIAL, (put("PID-8", ""),), "ilw"),
]  # fmt: skip

CASES = [*HL7_CASES, *TABLE_CASES, *TIME_CASES, *LAW_CASES, *LAB_CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.base}")
def test_a_rule_is_broken_alone(case: Case) -> None:
    before = Counter((item.rule, item.where) for item in found(example(case.base), case.judged_as))
    if not case.edits and not case.raw[0]:
        before.clear()  # the example itself is what is wrong, in this profile
    after_all = found(case.message(), case.judged_as)
    new = Counter((item.rule, item.where) for item in after_all) - before
    assert new == {(case.rule, case.where): 1}
    [told] = [item for item in after_all if (item.rule, item.where) == (case.rule, case.where)]
    assert told.source
    assert told.text_code in codes()
    assert facts_of(told.text_code) <= {name for name, _ in told.facts}, "the sentence lacks a fact"


def rules_in_the_code() -> set[str]:
    """Every rule: those in the tables, those written as literals, and those made of a table, a type or a misfit."""
    names = {rule.name for table in (check_core.REQUIRED, check_core.TIMES, check_core.SET_IDS, check_law.FIELDS, check_lab.COMMON, check_lab.ILW) for rule in table}  # fmt: skip
    for path in (ROOT / "protocols" / "hl7").glob("check*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and re.fullmatch("(?:HL7|LAW|LAB|ILW|INS)-[A-Z0-9-]*[A-Z0-9]", text):
                names.add(text)
    names -= {"LAB-27", "LAB-28", "LAB-29"}  # transactions
    names |= {f"HL7-GRAMMAR-{misfit.name}" for misfit in Misfit}
    names |= {f"HL7-TABLE-{table}" for table in {*IN_FIELD.values(), "0078", "0394"}}
    return names | {f"HL7-VALUE-{kind}" for kind in ["NM", "SN", "DT", "TM", "TS", "DTM", "CE", "CWE", "CNE", "ED"]}


def test_every_rule_has_its_message() -> None:
    assert {case.rule for case in CASES} | {"HL7-MORE"} == rules_in_the_code()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_is_read_given_back_and_sound(path: Path) -> None:
    raw = path.read_bytes()
    message = Message.parse(raw)
    assert message.encode() == raw
    told = check(message, path.name[:3])
    assert sound(told)
    assert [item.rule for item in told if item.severity is Severity.WARNING] == []
    assert profile_of(message) == (path.name[:3] if "ack_r01" not in path.name else "ltw")


def test_there_are_45_examples() -> None:
    assert len(FILES) == 45


def test_profiles_are_told_apart_and_another_is_refused() -> None:
    with pytest.raises(Hl7Error, match="law, ltw, ilw"):
        check(Message.parse(example(ACK)), "lda")
    assert set(PROFILES) == {"law", "ltw", "ilw"}
    assert profile_of(Message.parse(changed(QBP, put("MSH-21", "")))) == "law"
    assert profile_of(Message.parse(changed(OUL, put("MSH-21", "")))) == "ltw"


def test_an_enhancement_for_ilw_is_a_warning_only() -> None:
    told = check(Message.parse(example(WORK)), "ilw")
    assert [(item.rule, item.severity) for item in told if item.field == 9 and item.segment == "MSH"] == [("LAB-TYPE", Severity.WARNING)]  # fmt: skip


def test_an_adt_is_checked_for_its_ins_alone() -> None:
    assert check(Message.parse(example("adt_a40")), "ltw") == []
    told = check(Message.parse(changed("adt_a40", put("PID-3", INS))), "ltw")
    assert [item.rule for item in told] == ["INS-UNQUALIFIED"]


def test_what_cannot_be_judged_is_left_to_the_structure() -> None:
    """Rules about a group say nothing where the group itself is broken."""
    for raw, profile in ((changed(REPORT, drop("OBR")), "ltw"), (changed(ACK, put("MSH-9", "OUL^R22^OUL_R22")), "law")):
        told = {item.rule for item in check(Message.parse(raw), profile)}
        assert "HL7-GRAMMAR-MISSING" in told
        assert told.isdisjoint({"LAB-RESULT-ORC", "LAB-COHERENT-ORC-5", "LAW-OUL-ORC", "LAW-QC-INV"})


def test_a_text_that_looks_like_a_code_is_a_text() -> None:
    raw = changed(OUL, put("OBX-2", "ST"), put("OBX-5", "X^none^HL70078"))
    assert check(Message.parse(raw), "law") == []
    coded = check(Message.parse(raw.replace(b"|ST|", b"|CE|")), "law")
    assert [item.rule for item in coded] == ["HL7-TABLE-0078"]


def test_a_qualified_ins_is_no_deviation() -> None:
    number = "2850475999001"
    ins = f"{number}{97 - int(number) % 97:02}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    assert check(Message.parse(changed(PARTIAL, put("PID-3", ins))), "ilw") == []


def test_a_rule_table_names_its_places_well() -> None:
    with pytest.raises(Hl7Error, match="write OBX-3"):
        Place.read("OBX.3")


@pytest.mark.parametrize(
    ("segment", "n", "name"),
    [("OBX", 5, "Value"), ("FHS", 3, "Sending application"), ("OBX", 0, ""), ("OBX", 99, ""), ("ZZZ", 1, "")],
)
def test_fields_have_names(segment: str, n: int, name: str) -> None:
    assert field_name(segment, n) == name


def test_every_segment_of_the_rules_has_its_names() -> None:
    for rule in (
        *check_core.REQUIRED,
        *check_core.TIMES,
        *check_core.SET_IDS,
        *check_law.FIELDS,
        *check_lab.COMMON,
        *check_lab.ILW,
    ):
        assert field_name(rule.place.segment, rule.place.field), rule.place
        assert rule.place.segment in TITLES


def test_a_list_of_deviations_has_an_end() -> None:
    for raw in (changed(ACK) + b"ZZ\r" * (2 * MOST), changed(OUL) + b"OBX||||\r" * MOST):
        told = check(Message.parse(raw), "law")
        assert (len(told), told[-1].rule) == (MOST + 1, "HL7-MORE")
        assert not sound(told)


def test_deviations_stand_in_the_order_of_the_message() -> None:
    raw = changed(OUL, put("OBX-11", "S"), put("MSH-21", ""), drop("SAC"), put("OBR[2]-2", ""))
    told = check(Message.parse(raw), "law")
    assert [item.rule for item in told] == ["LAW-MSH-21", "LAW-SAC", "LAW-OBX-11", "LAW-OUL-OBR-2"]


@pytest.mark.parametrize(
    "raw",
    [
        changed(OUL, put("OBX-11", "~" * 300_000)),
        changed(OUL, put("PID-3", "x~" * 300_000)),
        changed(OUL, put("OBR-4", "^" * 300_000)),
        changed(OUL, put("PID-8", "|" * 300_000)),
        changed(OUL) + b"OBX|1\r" * 20_000,
        changed(OUL) + b"SPM\r" * 20_000,
        changed(OML) + b"ORC\rPID\r" * 10_000,
        b"MSH|^~\\&|" + bytes(range(256)) * 2000,
    ],
    ids=["repetitions", "identifiers", "components", "fields", "results", "specimens", "prior-results", "binary"],
)
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_hostile_message_is_judged_in_a_moment(raw: bytes, profile: str) -> None:
    """Work that grows with the square of a size would take minutes here."""
    assert len(check(Message.parse(raw), profile)) <= MOST + 1
