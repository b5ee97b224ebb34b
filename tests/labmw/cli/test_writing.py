"""Who decides: the name that is given, else who is logged in, also where the system has no name for that."""

from __future__ import annotations

import os

import pytest

from labmw.cli.writing import who


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_container_whose_user_has_no_name(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise error("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert who() == who("  ") == f"uid {os.getuid()}"
    assert who(" Dr Test ") == "Dr Test"
