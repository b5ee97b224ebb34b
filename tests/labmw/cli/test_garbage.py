"""What a hurried hand types is answered in a sentence, never with a traceback, and never taken for what it is not."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

HUGE = "99999999999999999999999"
WHY = ("--why", "test")
TYPED: list[tuple[tuple[str, ...], int, str]] = [
    (("outbox", "show", HUGE), 2, "look at what was given"),
    (("outbox", "retry", HUGE, *WHY), 2, "look at what was given"),
    (("quarantine", "show", HUGE), 2, "look at what was given"),
    (("lookback", "close", HUGE, "--all", *WHY), 2, "look at what was given"),
    (("audit", "dossier", "\udcff"), 2, "look at what was given"),
    (("quarantine", "replay", "99", *WHY), 1, "Nothing of message 99"),
    (("audit", "verify", "--expect", ""), 2, "--expect is empty"),
    (("audit", "export", "--check", "/nonexistent"), 2, "/nonexistent cannot be read"),
    (("audit", "export", "--out", "/proc/x"), 2, "/proc/x cannot be written"),
    (("store", "export", "/proc/x"), 2, "Nothing was copied"),
    (("retention", "hold", " ", *WHY), 2, "Give the patient's number"),
    (("retention", "hold", "STRANGER", *WHY), 0, "is the number right?"),
]


def test_it_is_answered_in_a_sentence(house: House) -> None:
    house.prepare(known=False)
    acts = '["quarantine", "deliver", "recall", "retention"]'
    roles = f'\n[roles.tester]\nmay = {acts}\npeople = ["{getpass.getuser()}"]\n'
    house.config.write_text(house.config.read_text() + roles)
    for arguments, code, says in TYPED:
        done = house.labmw(*arguments)
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        assert done.returncode == code and says in said, (arguments, said)
