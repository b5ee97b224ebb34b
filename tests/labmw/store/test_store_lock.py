"""One labmw per store, told by a lock that dies with its holder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labmw.errors import StoreError
from labmw.store.lock import hold, holder, lock_file

HOLD = (
    "import sys; from labmw.store.lock import hold\nwith hold(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
)


def test_it_is_held_for_the_block_and_free_afterwards(sqlite_url: str) -> None:
    assert holder(sqlite_url) is None
    with hold(sqlite_url):
        assert holder(sqlite_url) == os.getpid()
    assert holder(sqlite_url) is None
    with hold(sqlite_url):
        pass


def test_a_second_process_is_refused_until_the_first_dies(sqlite_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, sqlite_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        assert holder(sqlite_url) == first.pid
        with pytest.raises(StoreError, match=rf"process {first.pid}\).*stop it first"), hold(sqlite_url):
            pytest.fail("two at once")
        second = subprocess.run(
            [sys.executable, "-c", HOLD, sqlite_url],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "already serves the store" in second.stderr
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert holder(sqlite_url) is None
    with hold(sqlite_url):
        pass


LEAVE = (
    "import subprocess, sys\nfrom labmw.store.lock import hold\nwith hold(sys.argv[1]) as lock:\n"
    "    child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=0, pass_fds=lock)\n"
    "    print('held', flush=True); child.wait()"
)


@pytest.mark.parametrize("inherits", [True, False])
def test_what_a_killed_labmw_left_holds_the_store_until_it_ends(inherits: bool, sqlite_url: str) -> None:
    """Its children finish what is under way; without the inherited lock two would write at once."""
    code = LEAVE if inherits else LEAVE.replace("pass_fds=lock", "pass_fds=()")
    with subprocess.Popen(
        [sys.executable, "-c", code, sqlite_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == b"held\n"
        first.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, first.pid, os.WEXITED)
        try:
            with hold(sqlite_url, patience=0.5):
                assert not inherits
        except StoreError as error:
            assert inherits and "already serves" in str(error)
        threading.Timer(0.3, first.stdin.close).start()  # the child ends
        with hold(sqlite_url):
            pass


def test_the_same_process_cannot_hold_it_twice(sqlite_url: str) -> None:
    with hold(sqlite_url), pytest.raises(StoreError, match="already serves"), hold(sqlite_url):
        pytest.fail("two at once")


def test_looking_makes_no_file(sqlite_url: str, file: Path) -> None:
    assert holder(sqlite_url) is None
    assert not lock_file(sqlite_url).exists()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_it_is_released_when_the_block_fails(sqlite_url: str) -> None:
    with pytest.raises(ZeroDivisionError), hold(sqlite_url):
        raise ZeroDivisionError
    assert holder(sqlite_url) is None


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sqlite_url = f"sqlite:///{tmp_path / 'file' / 'labmw.db'}"
    with pytest.raises(StoreError, match="give labmw's user permission"), hold(sqlite_url):
        pass
    with pytest.raises(StoreError, match="give labmw's user permission"):
        holder(sqlite_url)


def test_a_holder_that_has_not_yet_said_who_it_is(sqlite_url: str) -> None:
    with hold(sqlite_url):
        lock_file(sqlite_url).write_text("")
        assert holder(sqlite_url) == 0
        with pytest.raises(StoreError, match=r"another labmw already serves"), hold(sqlite_url, patience=0.3):
            pass


@pytest.mark.parametrize("before", ["", "gone"])
def test_somebody_who_only_looks_and_is_slow_keeps_no_labmw_from_starting(before: str, sqlite_url: str) -> None:
    """`labmw status` on a machine under load, stopped between taking the lock and letting it go."""
    with hold(sqlite_url):
        pass
    if before:  # a labmw that was killed has left its number
        with subprocess.Popen([sys.executable, "-c", ""]) as ended:
            ended.wait()
        lock_file(sqlite_url).write_text(f"{ended.pid}\n")
    with lock_file(sqlite_url).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        with pytest.raises(StoreError, match="already serves"), hold(sqlite_url, patience=0.0):
            pytest.fail("the lock is taken by whoever looks")
        threading.Timer(
            0.5, fcntl.flock, (looking, fcntl.LOCK_UN)
        ).start()  # longer than a labmw that runs is waited for
        with hold(sqlite_url):
            assert holder(sqlite_url) == os.getpid()
