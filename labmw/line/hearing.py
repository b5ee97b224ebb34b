"""How long do we listen? One timer for a whole connection: it is set anew when it rings too early, not at every read.

`asyncio.timeout` makes and cancels a timer for each read, which is one for each frame of an upload.
"""

from __future__ import annotations

import asyncio

from labmw.line.transport import Wire


class Hearing:
    """Reads a wire, each time until a moment of the loop's clock."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._listener: asyncio.Task[object] | None = None  # who waits in `read`
        self._until = 0.0
        self._over = False  # the listener was interrupted because its time was over

    async def read(self, until: float) -> bytes | None:
        """Return bytes, b"" at the end, or None when the moment has come."""
        self._until = until
        if self._timer is None or until < self._timer.when():
            self._set()
        listener = self._listener = asyncio.current_task()
        assert listener is not None
        cancelled_before = listener.cancelling()
        try:
            return await self._wire.read()
        except asyncio.CancelledError:
            # As asyncio.timeout does: somebody else's cancellation goes on.
            if self._over and listener.uncancel() <= cancelled_before:
                return None
            raise
        finally:
            self._listener, self._over = None, False

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._listener is None:
            return  # the next read sets it
        if self._loop.time() < self._until:
            self._set()
        else:
            self._over = True
            self._listener.cancel()
