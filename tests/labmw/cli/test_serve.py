"""labmw serve, really started: it opens its lines, answers, survives the death of a part, and stops in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.labmw.cli.conftest import ACK, COUNT, House, known, listens, send, wait  # type: ignore[import-not-found]


def page(house: House, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{house.web}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""
