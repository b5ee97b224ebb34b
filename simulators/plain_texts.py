"""What do analyzers with a link of their own put on it? One transmission after the other, in the steps that each family takes (pure).

Layouts are those that the drivers read (labmw/driver/tags.py, columns.py): both come from the same published messages, so that only a capture of a real
analyzer can prove either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from protocols.plain import beckman, tags
from simulators.transmission import SentResult


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes to send, and whether the family waits for an answer to them."""

    data: bytes
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """One transmission: its steps, and the results in it."""

    steps: tuple[Step, ...]
    results: tuple[SentResult, ...]


ENQ, STX, ETX, EOT = b"\x05", b"\x02", b"\x03", b"\x04"


def _session(text: str) -> tuple[Step, ...]:
    """BCI: the answer is awaited behind the sum, then ETX and EOT."""
    block = tags.write(text.encode("latin-1"))
    return Step(ENQ), Step(block[:-1]), Step(block[-1:] + EOT, waits=False)


def mini_vidas(tube: str, number: int, at: datetime) -> Told:
    """A mini VIDAS: RS before each field, a word and its index, or a number in its unit."""
    word, value = ("", f"{200 + number}.0 IU/ml") if number % 2 else ("Negatif", f"0.{10 + number}")
    code = "ATPO" if number % 2 else "HCV"
    fields = (
        "mtrsl",
        "pi",
        "pn",
        "si",
        f"ci{tube}",
        f"rt{code}",
        f"rn{code}",
        f"tt{at:%H:%M}",
        f"td{at:%m/%d/%y}",
        f"ql{word}",
        f"qn{value}",
    )
    sent = value.partition(" ")
    results = [SentResult(tube, code, "", word or sent[0], sent[2], "")]
    results += [SentResult(tube, code, "index", value, "", "", main=False)] if word else []
    return Told(_session("".join(f"\x1e{one}|" for one in fields)), tuple(results))


def vidas(tube: str, number: int, at: datetime) -> Told:
    """A VIDAS PC: lines of 80 characters, which cut where they please."""
    text = (
        f"mtrsl|pi{number}|pnSIMULATED|pb01/01/1960|psF|so|si|ci{tube}|rtDD2|rnD-Dimer Exclusion II|tt{at:%H:%M}|td{at:%d/%m/%Y}|ql|"
        f"qn{500 + number},25 ng/ml|y3ng/ml|qd1|ncvalid|idVIDASPC01|snVN00001|m4lab|"
    )
    lines = "".join(f"\x1e{text[begin : begin + 79]}" for begin in range(0, len(text), 79))
    return Told(_session(lines), (SentResult(tube, "DD2", "", f"{500 + number},25", "ng/ml", ""),))


def vitek2(tube: str, number: int, at: datetime) -> Told:
    """A VITEK 2: one card, its organism and two antibiotics."""
    text = (
        f"mtrsl|iiV2|is00001899E653|itSU|pi{number}|pnSIMULATED|si|s0{number}|s1{at:%Y/%m/%d}|ci{tube}|c0{number}|ta|rtAST-GN93|rr{number}|t11|"
        "o1citfre|o2Citrobacter freundii|ra|a1am|a2Ampicillin|a3>=32|a4R|anR|ra|a1fep|a2Cefepime|a3<=1|a4S|anS|zz|"
    )
    lines = "".join(f"\x1e{text[begin : begin + 79]}" for begin in range(0, len(text), 79))
    results = (("AST-GN93", "citfre"), ("am", ">=32"), ("fep", "<=1"))
    return Told(_session(lines), tuple(SentResult(tube, code, "", value, "", "") for code, value in results))


def _maglumi_records(tube: str, number: int, at: datetime) -> tuple[list[bytes], SentResult]:
    value = f"{1 + number / 100:.2f}"
    records = [
        f"H|\\^&||PSWD|Maglumi X3|||||Lis||P|E1394-97|{at:%Y%m%d}",
        "P|1",
        f"O|1|{tube}||^^^TSH II",
        f"R|1|^^^TSH II|{value}|uIU/mL|0.3 to 4.5|N||||||{at:%Y%m%d%H%M%S}",
        "L|1|N",
    ]
    return [f"{one}\r".encode("latin-1") for one in records], SentResult(
        tube, "TSH II", "", value, "uIU/mL", f"{at:%Y%m%d%H%M%S}"
    )


def maglumi(tube: str, number: int, at: datetime) -> Told:
    """A MAGLUMI: every control character waits for its answer, the records between them do not."""
    records, result = _maglumi_records(tube, number, at)
    return Told((Step(ENQ), Step(STX), Step(b"".join(records) + ETX), Step(EOT)), (result,))


def maglumi_records(tube: str, number: int, at: datetime) -> Told:
    """The same, each record waiting for its answer too."""
    records, result = _maglumi_records(tube, number, at)
    return Told((Step(ENQ), Step(STX), *(Step(one) for one in records), Step(ETX), Step(EOT)), (result,))


def spotchem(tube: str, number: int, at: datetime) -> Told:
    """A SPOTCHEM EL: one line."""
    values = {"Na": f"{130 + number % 10}", "K": f"4.{number % 10}", "Cl": f"{96 + number % 10}"}
    text = f"{at:%y/%m/%d %H:%M} ID# {tube}   [B. Plasma] " + " ".join(
        f"{name:<8} {value}  mmol/L" for name, value in values.items()
    )
    done = f"{at:%Y%m%d%H%M}"
    results = tuple(SentResult(tube, name, "", value, "mmol/L", done) for name, value in values.items())
    return Told((Step(STX + text.encode() + ETX),), results)


def au(tube: str, number: int, at: datetime) -> Told:
    """An AU: brackets, and a sample in two blocks."""
    del at
    head = f"D 01{number % 10000:04}01 {number % 10000:04}{tube:10.10}    "
    values = {"001": f"{number / 10:.1f}", "002": f"{130 + number % 20}"}
    groups = [f" {code}{value:>9}{'':8}" for code, value in values.items()]
    blocks = (
        beckman.write(b"DB01"),
        beckman.write(f"{head}0{groups[0]}".encode(), last=False),
        beckman.write(f"{head}E{groups[1]}".encode()),
        beckman.write(b"DE01"),
    )
    results = tuple(SentResult(tube, code, "", value, "", "") for code, value in values.items())
    return Told(tuple(Step(block) for block in blocks), results)


def pk(tube: str, number: int, at: datetime) -> Told:
    """A PK: it listens to nobody."""
    texts = (b"SB15", b"M 15aaaaaa0000001", b"DB15", f"D 15{number:04}{at:%Y%m%d} {tube} ABO O".encode(), b"DE15")
    return Told(tuple(Step(beckman.write(text), waits=False) for text in texts), ())


Write = Callable[[str, int, datetime], Told]
FAMILIES: Mapping[str, Write] = {
    "mini-vidas": mini_vidas,
    "vidas": vidas,
    "vitek2": vitek2,
    "maglumi": maglumi,
    "maglumi-records": maglumi_records,
    "spotchem-el": spotchem,
    "beckman-au": au,
    "beckman-pk": pk,
}
