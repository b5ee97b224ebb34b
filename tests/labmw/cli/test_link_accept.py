"""Does `labmw link accept` do what `labmw status` asks for, beside the running daemon?"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House


def test_a_changed_analyzer_is_told_and_accepted(house: House, daemon: subprocess.Popen[str]) -> None:
    house.send()
    with house.config.open("a", encoding="utf-8") as config:
        config.write('[roles.biologist]\nmay = ["accept"]\npeople = ["Dr Test"]\n')
    by = ("--by", "Dr Test")
    assert house.labmw("link", "accept", "counter", *by, "--reason", "x", "-l", "en").returncode == 1
    house.send((b"11042", b"99999"), (b"S0001", b"S0002"))
    for language, told in (("en", "nobody has accepted"), ("fr", "personne n'a accepté")):
        status = house.labmw("status", "--language", language)
        assert told in status.stdout.replace("\n", " "), status.stdout
    assert house.labmw("link", "accept", "counter", "--reason", " ", "-l", "en").returncode == 2
    assert house.labmw("link", "accept", "other", "--reason", "x", "-l", "en").returncode == 2
    for language, told in (("en", "Roles that may: biologist"), ("fr", "Rôles qui le permettent : biologist")):
        refused = house.labmw("link", "accept", "counter", "--by", "T. Pinson", "--reason", "x", "-l", language)
        assert (refused.returncode, told in refused.stderr) == (1, True), refused.stderr
    assert house.count("SELECT count(*) FROM analyzer WHERE state = 'waiting'") > 0
    done = house.labmw("link", "accept", "counter", "--by", "Dr Test", "--reason", "20 samples compared", "-l", "fr")
    assert done.returncode == 0, done.stderr
    assert "99999 / 00-24 est accepté par Dr Test" in done.stdout
    assert house.count("SELECT count(*) FROM audit WHERE what = 'analyzer-accepted' AND who = 'Dr Test'") == 1
    assert house.count("SELECT count(*) FROM analyzer WHERE state = 'waiting'") == 0
    assert daemon.poll() is None
