"""Are labmw's own notes said in the reader's language, and a person's left alone?"""

from __future__ import annotations

import pytest

from labmw.lab.awaited import WHY
from labmw.watch.spoken import noted


@pytest.mark.parametrize(
    ("note", "fr"),
    [
        ("sent again in message 42", "renvoyé dans le message 42"), (WHY, "sa demande est arrivée"), ("they agree now", "les deux concordent maintenant"),
        ("report was added", "report ajouté"), ("reconciled by message/7", "rapproché par le message 7"), ("mismatch by message/7", "le message 7 dit autre chose"),
        ("looked at it", "looked at it"), ("", ""),
    ],
)  # fmt: skip
def test_a_note_is_said(note: str, fr: str) -> None:
    assert noted(note, "fr") == fr
    assert noted(note, "en") == note.replace("reconciled by message/", "reconciled by message ").replace(
        "mismatch by message/7", "message 7 says otherwise"
    )
