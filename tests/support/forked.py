"""How does a test run a hundred commands without waiting for a hundred starts of Python? In processes forked from one that has imported everything.

Each command is a process of its own, with its own arguments, environment, folder and output, that can be killed like any other; only the imports are shared.
Tests of a start itself (what is imported, the interpreter's settings, the daemon's two processes) start Python as always.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

CLI = "labmw.cli:main"
_SIZE = 1 << 20  # bytes of a request: arguments and environment


class Forked:
    """A process that runs; the part of `subprocess.Popen` that tests use."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        with line.makefile("rb") as told:
            self.pid = int(told.readline())
        self._code: int | None = None
        self._once = threading.Lock()

    @property
    def returncode(self) -> int | None:
        """As it is now; None while the process runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Look whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        with self._once:
            if self._code is None:
                ready, _, _ = select.select([self._line], [], [], timeout)
                if not ready:
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
                said = self._line.recv(64)
                self._line.close()
                self._code = int(said) if said else -signal.SIGKILL
            return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Waiting:
    """The same for a test that runs in a loop: the part of asyncio's subprocess that tests use."""

    def __init__(self, process: Forked | subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid, self.terminate, self.kill = process.pid, process.terminate, process.kill
        self.send_signal = process.send_signal

    @property
    def returncode(self) -> int | None:
        """As it is now; None while the process runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """Wait for its end."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(0.005)
        return code


def start(
    entry: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[Any] | None = None,
    stderr: IO[Any] | None = None,
) -> Forked:
    """Start `module:function`, or the program in a file, with these arguments; its output goes where the test's own goes, unless told."""
    environment = dict(os.environ if env is None else env)
    if "LD_PRELOAD" in environment:
        raise ValueError("a library is loaded when a process starts, and a fork is no start: use subprocess")
    line = socket.socket(socket.AF_UNIX)
    line.connect(_server())
    asked = {
        "entry": entry,
        "arguments": arguments,
        "env": environment,
        "cwd": str(cwd or Path.cwd()),
    }
    files = [1 if stdout is None else stdout.fileno(), 2 if stderr is None else stderr.fileno()]
    data = json.dumps(asked).encode()
    assert len(data) < _SIZE
    socket.send_fds(line, [len(data).to_bytes(4, "big")], files)
    line.sendall(data)
    return Forked(line)


def run(
    *arguments: str,
    entry: str = CLI,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 60,
    together: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does; `together` puts what it says on both outputs into one."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(entry, *arguments, env=env, cwd=cwd, stdout=out, stderr=out if together else err)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(list(arguments), code, *texts)


@functools.cache
def _server() -> str:
    """The address of this test process's server; it ends with the test process."""
    folder = tempfile.mkdtemp(prefix="labmw-forked-")
    address = f"{folder}/socket"
    process = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError("the server of forked processes does not start")
    atexit.register(process.communicate)
    return address


def _serve(address: str) -> None:
    import labmw.app  # noqa: F401
    from labmw.cli import COMMANDS

    for name in COMMANDS:
        importlib.import_module(f"labmw.cli.{name}")
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads must not be forked"  # noqa: PTH208
    gc.freeze()  # what is imported stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a test run that is interrupted closes our input
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"ready\n")
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [])
            if 0 in ready:
                break
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _look_after(line)
            line.close()
    Path(address).unlink()
    Path(address).parent.rmdir()


def _look_after(line: socket.socket) -> NoReturn:
    """Between the server and the process that is asked for: tells its number, waits for its end, tells how it ended."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        head, files, _, _ = socket.recv_fds(line, 4, 2)
        data = b""
        while len(data) < int.from_bytes(head, "big"):
            data += line.recv(_SIZE)
        pid = os.fork()
        if pid == 0:
            _become(json.loads(data), files)
        line.sendall(b"%d\n" % pid)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        line.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def _become(asked: dict[str, Any], files: list[int]) -> NoReturn:
    """Be the process that was asked for, as if Python had just started."""
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in enumerate((nothing, *files)):
            os.dup2(file, number)
        os.closerange(3, 1024)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(asked["env"])
        if "TZ" in asked["env"]:
            time.tzset()
        os.chdir(asked["cwd"])
        tempfile.tempdir = None
        code = _call(asked["entry"], asked["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _call(entry: str, arguments: list[str]) -> int:
    module, _, function = entry.partition(":")
    if function:
        sys.argv = ["labmw", *arguments]
        getattr(importlib.import_module(module), function)()
    else:
        sys.argv = [entry, *arguments]
        sys.path.insert(0, str(Path(entry).parent))
        runpy.run_path(entry, run_name="__main__")
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
