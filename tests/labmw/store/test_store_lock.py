"""One labmw per store, told by a lock that dies with its holder."""

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


def test_it_is_held_for_the_block_and_free_afterwards(url: str) -> None:
    assert holder(url) is None
    with hold(url):
        assert holder(url) == os.getpid()
    assert holder(url) is None
    with hold(url):
        pass


def test_a_second_process_is_refused_until_the_first_dies(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        assert holder(url) == first.pid
        with pytest.raises(StoreError, match=rf"process {first.pid}\).*stop it first"), hold(url):
            pytest.fail("two at once")
        second = subprocess.run(
            [sys.executable, "-c", HOLD, url], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert "already serves the store" in second.stderr
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert holder(url) is None
    with hold(url):
        pass


LEAVE = (
    "import subprocess, sys\nfrom labmw.store.lock import hold\nwith hold(sys.argv[1]) as lock:\n"
    "    child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=0, pass_fds=(lock,))\n"
    "    print('held', flush=True); child.wait()"
)


@pytest.mark.parametrize("inherits", [True, False])
def test_what_a_killed_labmw_left_holds_the_store_until_it_ends(inherits: bool, url: str) -> None:
    """Its children finish what is under way; without the inherited lock two would write at once."""
    code = LEAVE if inherits else LEAVE.replace("pass_fds=(lock,)", "pass_fds=()")
    with subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == b"held\n"
        first.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, first.pid, os.WEXITED)
        try:
            with hold(url, patience=0.5):
                assert not inherits
        except StoreError as error:
            assert inherits and "already serves" in str(error)
        threading.Timer(0.3, first.stdin.close).start()  # the child ends
        with hold(url):
            pass


def test_the_same_process_cannot_hold_it_twice(url: str) -> None:
    with hold(url), pytest.raises(StoreError, match="already serves"), hold(url):
        pytest.fail("two at once")


def test_looking_makes_no_file(url: str, file: Path) -> None:
    assert holder(url) is None
    assert not lock_file(url).exists()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_it_is_released_when_the_block_fails(url: str) -> None:
    with pytest.raises(ZeroDivisionError), hold(url):
        raise ZeroDivisionError
    assert holder(url) is None


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path / 'file' / 'labmw.db'}"
    with pytest.raises(StoreError, match="give labmw's user permission"), hold(url):
        pass
    with pytest.raises(StoreError, match="give labmw's user permission"):
        holder(url)


def test_a_holder_that_has_not_yet_said_who_it_is(url: str) -> None:
    with hold(url):
        lock_file(url).write_text("")
        assert holder(url) == 0
        with pytest.raises(StoreError, match=r"another labmw already serves"), hold(url):
            pass
