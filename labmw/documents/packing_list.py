"""How is a packing list printed? One line for each tube with its barcode, so that who unpacks scans the paper or the tube."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from labmw.documents.barcode import code128


@dataclass(frozen=True, slots=True)
class PackedTube:
    """A line of the list."""

    specimen: str
    tests: str
    orders: str
    state: str


@dataclass(frozen=True, slots=True)
class PackingList:
    """A whole list; its texts are in the language of who reads it."""

    title: str
    number: str
    subtitle: str
    language: str
    columns: tuple[str, str, str, str]
    tubes: tuple[PackedTube, ...]


_TEMPLATE = """
#let list = json(bytes(sys.inputs.list))
#set document(title: list.title, date: none)
#set page(paper: "a4", margin: 1.8cm, numbering: "1 / 1")
#set text(size: 9.5pt, lang: list.language)
#let bars(widths) = {
  let at = 0
  let drawn = ()
  for (index, width) in widths.enumerate() {
    if calc.even(index) { drawn.push(std.place(dx: at * 0.28mm, rect(width: width * 0.28mm, height: 9mm, fill: black, stroke: none))) }
    at = at + width
  }
  box(width: at * 0.28mm, height: 9mm, drawn.join())
}
= #list.title
#list.subtitle
#if list.bars != none { bars(list.bars) }
#table(
  columns: (auto, auto, 1fr, auto), stroke: 0.4pt + luma(170), inset: 5pt, align: horizon,
  table.header(..list.columns.map(cell => strong(cell))),
  ..list.tubes.map(tube => (
    [#if tube.bars != none { bars(tube.bars) } \\ #tube.specimen], tube.orders, tube.tests, tube.state,
  )).flatten(),
)
"""


def as_pdf(one: PackingList) -> bytes:
    """Return an A4 document; texts go in as data and are never read as markup."""
    import typst  # noqa: PLC0415 - large, and only a PDF needs it

    data = asdict(one) | {"bars": _bars(one.number)}
    data["tubes"] = [asdict(tube) | {"bars": _bars(tube.specimen)} for tube in one.tubes]
    made: bytes = typst.compile(_TEMPLATE.encode(), sys_inputs={"list": json.dumps(data, ensure_ascii=False)})
    return made


def _bars(text: str) -> list[int] | None:
    try:
        return code128(text)
    except ValueError:
        return None
