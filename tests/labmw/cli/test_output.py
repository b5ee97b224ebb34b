"""Output that cannot be written: a sign that the terminal does not have becomes a question mark, a full disk one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAY = "from labmw.cli.output import written\nwith written(): print('équipé ✓ \\udce9', flush=True)"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("ascii", b"?quip? ? ?"), ("iso8859-15", b"\xe9quip\xe9 ? ?"), ("utf-8", "équipé ✓ \\udce9".encode())],
)
def test_a_sign_that_the_terminal_does_not_have(encoding: str, said: bytes) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", SAY], capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, said, b"")


def test_a_full_disk_is_told_in_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", SAY], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert done.stderr == (
        "labmw: the output cannot be written (No space left on device); free space, or print elsewhere\n"
    )
