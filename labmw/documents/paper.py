"""How is a document printed? Titles, paragraphs and tables, as one HTML page or as a PDF; both say the same."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

CHARACTERS = 200_000  # of one cell or paragraph; a document is for reading


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with their titles, and rows of texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A title, what is said, and tables."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A whole document."""

    title: str
    subtitle: str
    language: str
    sections: tuple[Section, ...]


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:1em 0;width:100%}td,th{border:1px solid #bbb;padding:.3em .5em;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}th{background:#eee}h2{margin-top:2em}"
)


def as_html(paper: Paper) -> str:
    """Return one page without scripts and without anything from elsewhere."""
    parts = [
        f'<!doctype html><html lang="{html.escape(paper.language)}"><head><meta charset="utf-8">',
        f"<title>{html.escape(paper.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(paper.title)}</h1><p>{html.escape(paper.subtitle)}</p>",
    ]
    for section in paper.sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
        for table in section.tables:
            parts.append("<table><thead>" + _row("th", table.columns) + "</thead><tbody>")
            parts += [_row("td", row) for row in table.rows]
            parts.append("</tbody></table>")
    return "\n".join([*parts, "</body></html>", ""])


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


_TEMPLATE = """
#let paper = json(bytes(sys.inputs.paper))
#set document(title: paper.title, date: none)
#set page(paper: "a4", margin: 2cm, numbering: "1 / 1")
#set text(size: 9.5pt, lang: paper.language)
#show heading: set block(above: 1.4em, below: 0.7em)
= #paper.title
#paper.subtitle
#for section in paper.sections {
  heading(level: 2, section.title)
  for text in section.paragraphs { par(text) }
  for data in section.tables {
    table(
      columns: data.columns.map(_ => auto), stroke: 0.4pt + luma(170), inset: 4pt,
      table.header(..data.columns.map(cell => strong(cell))),
      ..data.rows.flatten().map(cell => table.cell(breakable: cell.len() > 1500, cell)),
    )
  }
}
"""


def as_pdf(paper: Paper) -> bytes:
    """Return an A4 document; texts go in as data and are never read as markup."""
    import typst  # noqa: PLC0415 - large, and only a PDF needs it

    made: bytes = typst.compile(_TEMPLATE.encode(), sys_inputs={"paper": json.dumps(asdict(paper), ensure_ascii=False)})
    return made
