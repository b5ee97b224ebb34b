"""Does `labmw link trace` follow a line of the running daemon, without touching it and without naming a patient?"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, get_args

import pytest

from labmw.driver.reading import Kind
from labmw.model import Disposition
from labmw.phrases import codes

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House


@pytest.mark.parametrize(
    ("language", "accepted", "became"),
    [
        ("en", "result, driver sysmex-xn, stored and acknowledged", "results of message 1: "),
        ("fr", "résultats, pilote sysmex-xn, enregistré et acquitté", "résultats du message 1 : "),
    ],
)
def test_what_passes_is_shown_with_what_became_of_it(
    language: str, accepted: str, became: str, house: House, daemon: subprocess.Popen[str]
) -> None:
    command = [
        sys.executable,
        "-c",
        "from labmw.cli import main; main()",
        "link",
        "trace",
        "counter",
        "--seconds",
        "6",
        "-l",
        language,
    ]
    tracing = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LABMW_CONFIG": str(house.config)},
    )
    assert house.send() == [b"\x06"] * 8
    shown, _ = tracing.communicate(timeout=40)
    assert tracing.returncode == 0, shown
    assert "<ENQ>" in shown
    assert " > " in shown
    assert " < 06" in shown
    assert accepted in shown
    assert became in shown
    assert "ALOUETTE" not in shown.replace("\n", "")
    assert daemon.poll() is None


def test_a_line_on_which_nothing_passed_and_one_that_is_not_there(house: House) -> None:
    house.prepare()
    done = house.labmw("link", "trace", "counter", "--seconds", "0", "-l", "en")
    assert done.returncode == 0
    assert "labmw does not run" in done.stderr
    assert "nothing has ever passed" in done.stderr
    done = house.labmw("link", "trace", "other", "-l", "en")
    assert done.returncode == 2
    assert "there are: counter" in done.stderr


def test_what_a_message_is_and_what_became_of_it_has_words_in_both_languages() -> None:
    known = codes()
    for kind in get_args(Kind):
        assert f"message-kind-{kind}" in known
    for disposition in Disposition:
        assert f"trace-{disposition.value}" in known
