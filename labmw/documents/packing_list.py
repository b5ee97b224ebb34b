"""How is a packing list printed? One line for each tube with its barcode and whose it is, so that who unpacks scans the paper or the tube.

Paper that names a patient bears the strict traits and, where the identity is qualified, the INS with its Data Matrix beside the words that the national rules ask for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from labmw.documents.barcode import code128
from labmw.documents.datamatrix import datamatrix


@dataclass(frozen=True, slots=True)
class PackedTube:
    """A line of the list. `mark` is the text of the Data Matrix INS, "" where there is none."""

    specimen: str
    tests: tuple[str, ...]
    orders: tuple[str, ...]
    state: str = ""
    patient: tuple[str, ...] = ()  # name, birth and sex, INS: a line each
    mark: str = ""


@dataclass(frozen=True, slots=True)
class PackingList:
    """A whole list; its texts are in the language of who reads it. `facts` are pairs: temperature, courier ..."""

    title: str
    number: str
    facts: tuple[tuple[str, str], ...]
    language: str
    columns: tuple[str, str, str]
    scan: str  # what stands beside a Data Matrix
    tubes: tuple[PackedTube, ...]


_TEMPLATE = r"""
#let list = json(bytes(sys.inputs.list))
#set document(title: list.title, date: none)
#set page(
  paper: "a4", margin: (x: 1.5cm, top: 1.8cm, bottom: 1.8cm),
  header: context if counter(page).get().first() > 1 { text(8pt, list.title) },
  footer: context align(center, text(8pt, counter(page).display("1 / 1", both: true))),
)
#set text(size: 9pt, lang: list.language, hyphenate: false)
#set par(leading: 0.5em)
// Code 128: modules of 0.28 mm, narrower where the number is long; ten modules of white on both sides
#let bars(widths, room) = {
  let modules = widths.sum()
  let one = calc.min(0.28, room / (modules + 20))
  let at = 10
  let drawn = ()
  for (index, width) in widths.enumerate() {
    if calc.even(index) { drawn.push(std.place(dx: at * one * 1mm, rect(width: width * one * 1mm, height: 8mm, fill: black, stroke: none))) }
    at = at + width
  }
  box(width: (modules + 20) * one * 1mm, height: 8mm, drawn.join())
}
// Data Matrix: modules of 0.4 mm, one module of white around
#let matrix(rows) = {
  let side = rows.len()
  let drawn = ()
  for (y, row) in rows.enumerate() {
    for (x, dark) in row.enumerate() {
      if dark { drawn.push(std.place(dx: (x + 1) * 0.4mm, dy: (y + 1) * 0.4mm, rect(width: 0.41mm, height: 0.41mm, fill: black, stroke: none))) }
    }
  }
  box(width: (side + 2) * 0.4mm, height: (side + 2) * 0.4mm, drawn.join())
}
#grid(
  columns: (1fr, auto), align: (left + top, right + top), column-gutter: 6mm,
  [= #list.title
   #v(2mm)
   #grid(columns: (auto, 1fr), column-gutter: 4mm, row-gutter: 1.6mm, ..list.facts.map(pair => (text(fill: luma(80), pair.at(0)), strong(pair.at(1)))).flatten())],
  if list.bars != none { align(center)[#bars(list.bars, 75) \ #list.number] },
)
#v(3mm)
#table(
  columns: (58mm, 1fr, 1fr), stroke: 0.4pt + luma(170), inset: 4pt, align: (center + horizon, left + horizon, left + horizon),
  table.header(..list.columns.map(cell => strong(cell))),
  ..list.tubes.map(tube => (
    [#if tube.bars != none [#bars(tube.bars, 54) \ ] #tube.specimen #if tube.state != "" [ · #tube.state]],
    if tube.matrix == none { tube.patient.map(line => [#line]).join(linebreak()) } else {
      grid(
        columns: (1fr, auto), column-gutter: 2mm, align: horizon,
        tube.patient.map(line => [#line]).join(linebreak()),
        align(center)[#matrix(tube.matrix) \ #text(6pt, list.scan)],
      )
    },
    tube.tests.zip(tube.orders).map(pair => [#pair.at(0) \ #text(7.5pt, fill: luma(80), pair.at(1))]).join(parbreak()),
  )).flatten(),
)
"""


def as_pdf(one: PackingList) -> bytes:
    """Return an A4 document; texts go in as data and are never read as markup."""
    import typst  # noqa: PLC0415 - large, and only a PDF needs it

    data = asdict(one) | {"bars": _bars(one.number)}
    data["tubes"] = [
        asdict(tube) | {"bars": _bars(tube.specimen), "matrix": datamatrix(tube.mark) if tube.mark else None}
        for tube in one.tubes
    ]
    made: bytes = typst.compile(_TEMPLATE.encode(), sys_inputs={"list": json.dumps(data, ensure_ascii=False)})
    return made


def _bars(text: str) -> list[int] | None:
    try:
        return code128(text)
    except ValueError:
        return None
