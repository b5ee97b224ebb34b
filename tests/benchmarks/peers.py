"""Who else does this, and can it be asked? One process in the peers' own environment, timed inside itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

PYTHON = Path(".venv-peers/bin/python")


class PeerMissing(Exception):
    """A peer cannot be measured on this machine, and why."""


class Peer:
    """A peer that is ready to be timed; use it in a `with`."""

    def __init__(self, name: str, data: Sequence[bytes]) -> None:
        if not PYTHON.exists():
            raise PeerMissing("there is no .venv-peers: run make bench")
        script = Path(__file__).with_name("peer.py")
        self._process = subprocess.Popen([PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._to, self._from = _open(self._process.stdin), _open(self._process.stdout)
        answer = self._ask(json.dumps({"peer": name, "data": [one.hex() for one in data]}))
        if error := answer.get("error"):
            self.close()
            raise PeerMissing(error)
        self.read = answer["read"]
        """What it read in the message, to be compared with ours."""

    def _ask(self, line: str) -> dict[str, Any]:
        self._to.write(line + "\n")
        self._to.flush()
        answer: dict[str, Any] = json.loads(self._from.readline() or '{"error": "it died"}')
        return answer

    def batch(self, times: int) -> float:
        """Seconds for one time, inside its process."""
        answer = self._ask(str(times))
        if error := answer.get("error"):
            raise PeerMissing(error)
        return float(answer["seconds"])

    def close(self) -> None:
        """Let it go."""
        self._to.close()
        self._from.close()
        self._process.wait(10)

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
