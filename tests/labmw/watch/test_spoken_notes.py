"""Are labmw's own notes said in the reader's language, and a person's left alone?"""

from __future__ import annotations

import pytest

from labmw.lab.awaited import WHY
from labmw.watch.spoken import noted, trouble


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


@pytest.mark.parametrize(
    ("error", "fr"),
    [
        ("the receiver answered AE: without a text", "le destinataire a répondu AE, sans texte"),
        ("the receiver answered AR: Patient inconnu", "le destinataire a répondu AR : Patient inconnu"),
        (
            "no acknowledgment after 50 attempts: h:1 gave no acknowledgment within 2 s; look whether the receiver is busy",
            "aucun acquittement après 50 essais : h:1 n'a rien acquitté en 2 s : voir si le destinataire est surchargé",
        ),
        ("to register instead", "envoyé à register à sa place"),
        ("what nobody knows", "what nobody knows"),
    ],
)
def test_why_a_message_has_not_arrived_is_said_in_the_readers_language(error: str, fr: str) -> None:
    assert trouble(error, "fr") == fr
    assert trouble(error, "en") == error
