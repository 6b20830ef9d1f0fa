"""libcurl's multi interface on the loop: which sockets it waits for, and what each call to it has brought."""

from __future__ import annotations

import asyncio
import math
import selectors
from typing import Protocol

import pycurl


class Gathers(Protocol):
    """Has bytes that libcurl has read, and not yet handed them over."""

    curl: pycurl.Curl

    def hand_over(self) -> int | None:
        """0 when nobody wants more."""


class Multi:
    """libcurl tells which sockets it waits for; they share one selector, and that is one reader of the loop.

    A reader of the loop for each socket cost a tenth of the time that a piece of 64 KiB takes.
    """

    def __init__(self, max_connections: int) -> None:
        self.calls = 0  # to libcurl, so far
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, max_connections)  # idle ones too
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._sockets = selectors.DefaultSelector()
        self._watched: dict[int, int] = {}  # descriptor → libcurl's word for what is waited for
        self._resting: set[int] = set()  # of them, those that libcurl waits for no longer
        self.gathering: list[Gathers] = []  # those that hold what the call to libcurl under way has brought
        self._ended: dict[pycurl.Curl, asyncio.Future[int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None
        self._due = math.inf  # when libcurl wants to be called, by the loop's clock
        self._timer: asyncio.TimerHandle | None = None  # rings then, or earlier: to set it anew for each piece is dear

    def start(self, curl: pycurl.Curl) -> asyncio.Future[int]:
        """Begin; the future will hold libcurl's code, 0 when all went well. ``stop`` must follow."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sockets, self._on_ready)
        ended = self._ended[curl] = self._loop.create_future()
        self._multi.add_handle(curl)
        return ended

    def stop(self, curl: pycurl.Curl) -> None:
        """Take a transfer out, wherever it is."""
        if self._ended.pop(curl, None) is not None:
            self._multi.remove_handle(curl)

    def close(self) -> None:
        for handle in filter(None, (self._soon, self._timer)):
            handle.cancel()
        for curl, ended in list(self._ended.items()):
            self.stop(curl)
            ended.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._sockets)
        self._multi.close()
        self._sockets.close()

    def drop_resting(self) -> None:
        """Before a socket is opened: it may get the number of one that rests here and is closed by now."""
        for fd in list(self._resting):
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self._resting.discard(fd)
        del self._watched[fd]
        self._sockets.unregister(fd)

    def _on_socket(self, what: int, fd: int, *_: object) -> None:
        """A kept connection stays registered while it rests: as a rule the next request comes at once."""
        if what in (pycurl.POLL_REMOVE, pycurl.POLL_NONE):
            if fd in self._watched:
                self._resting.add(fd)
            return
        self._resting.discard(fd)
        if self._watched.get(fd) == what:
            return
        events = (what & pycurl.POLL_IN and selectors.EVENT_READ) | (what & pycurl.POLL_OUT and selectors.EVENT_WRITE)
        if fd in self._watched:
            self._sockets.modify(fd, events)
        else:
            self._sockets.register(fd, events)
        self._watched[fd] = what

    def _on_timer(self, milliseconds: int) -> None:
        self._due = math.inf
        if self._loop is None or milliseconds < 0:
            return
        if milliseconds:
            self._due = self._loop.time() + milliseconds / 1000
            self._set_timer(self._loop)
        elif self._soon is None:  # not at once: libcurl must not be called from within its callback
            self._soon = self._loop.call_soon(self._go_on_soon)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            if self._timer.when() <= self._due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(self._due, self._on_time, loop)

    def _go_on_soon(self) -> None:
        self._soon = None
        self.go_on()

    def _on_time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._due <= loop.time():
            self.go_on()
        elif self._due < math.inf:
            self._set_timer(loop)

    def go_on(self) -> None:
        """Let libcurl do what is due."""
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        self._tell_ended()

    def _on_ready(self) -> None:
        for key, events in self._sockets.select(0):
            if key.fd in self._resting:  # its origin has closed it
                self._drop(key.fd)
                continue
            ready = (events & selectors.EVENT_READ and pycurl.CSELECT_IN) | (
                events & selectors.EVENT_WRITE and pycurl.CSELECT_OUT
            )
            self._act(key.fd, ready)
        self._tell_ended()

    def _act(self, fd: int, ready: int) -> None:
        """Let libcurl go on, and hand over what that has brought."""
        self.calls += 1
        self._multi.socket_action(fd, ready)
        for handle in self.gathering:
            if handle.hand_over() == 0:
                self._tell(handle.curl, pycurl.E_WRITE_ERROR)
        self.gathering.clear()

    def _tell_ended(self) -> None:
        _, whole, failed = self._multi.info_read()
        for curl in whole:
            self._tell(curl, 0)
        for curl, code, _ in failed:
            self._tell(curl, code)

    def _tell(self, curl: pycurl.Curl, code: int) -> None:
        ended = self._ended.get(curl)
        if ended is not None and not ended.done():
            ended.set_result(code)
