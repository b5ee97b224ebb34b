"""Is a document what it was given, and nothing that was in its texts?"""

from __future__ import annotations

from labmw.documents.paper import Paper, Section, Table, as_html, as_pdf

HOSTILE = '<script>alert(1)</script> #import "x" $a$ & "q" é'
PAPER = Paper(
    HOSTILE,
    HOSTILE,
    "fr",
    (Section(HOSTILE, (HOSTILE,), (Table(("a", HOSTILE), ((HOSTILE, "1"), ("2", HOSTILE))),)), Section("Empty")),
)


def test_a_page_is_escaped_and_whole() -> None:
    page = as_html(PAPER)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 8
    assert 'lang="fr"' in page and "é" in page


def test_a_pdf_takes_texts_as_data() -> None:
    made = as_pdf(PAPER)
    assert made.startswith(b"%PDF-") and made.rstrip().endswith(b"%%EOF")
    assert as_pdf(PAPER)[:4] == made[:4]
