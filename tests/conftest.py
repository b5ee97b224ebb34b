"""What every test has: quiet logs without local variables, the corpus where it is present, Hypothesis profiles, folders in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgresql_server import NEEDED, PostgresqlServer, server, store_in

from labmw.watch.log import begin

ROOT = Path(__file__).parent.parent
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))

MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    # A killed process loses nothing that it wrote, on a disk or in memory; a disk's flush would be most of the time of the tests.
    # What a lost power loses is for `make torture`, which counts flushes itself.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# Commands speak the language of whoever calls them; what they are to say is English, unless a test asks otherwise.
for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"

# The gate plays the same examples every time; `make explore` looks for new ones (decision 0098).
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", QUIET, derandomize=True)
settings.register_profile("explore", QUIET, max_examples=2000, print_blob=True)
settings.load_profile("explore" if os.environ.get("LABMW_EXPLORE") else "gate")


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Errors only, and never the values of local variables."""
    begin("tests", {"LABMW_LOG_LEVEL": os.environ.get("LABMW_LOG_LEVEL", "critical")})


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real captures; a test that needs it is skipped where it is not."""
    if not CORPUS.is_dir():
        pytest.skip(f"needs the corpus of real captures in {CORPUS}; set LABMW_CORPUS to its folder")
    return CORPUS


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer | None]:
    """One server for all tests of this process; None where there is none to start."""
    with server() as one:
        yield one


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Where a journey keeps its store: "" for a file of its own, else the address of a database. It is played once with each."""
    address: str = "" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    return address


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer | None) -> Iterator[str]:
    """The address of an empty store in PostgreSQL, this test's own."""
    if postgresql_server is None:
        pytest.skip(NEEDED)
    with store_in(postgresql_server) as address:
        yield address
