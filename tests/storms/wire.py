"""A wire to PostgreSQL: it sees each statement that a client sends, and one of them goes wrong.

It knows the messages of the protocol, not the library: so it meets every statement, however it is
sent, in a pipeline too.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import attrs
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from storms.fault import Fault


__all__ = ["Wire", "wire"]

_HOST: Final = "127.0.0.1"
#: What a client sends: a statement alone, or the execution of one that was sent in parts.
_QUERY, _EXECUTE, _SYNC = b"Q", b"E", b"S"
#: By these a server says that a statement is through, has failed, or goes on by COPY.
_ANSWERS: Final = frozenset({b"C", b"I", b"s", b"E", b"G", b"H", b"W"})
_ERROR, _READY, _BACKEND = b"E", b"Z", b"K"


def _message(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return kind + (len(body) + 4).to_bytes(4) + body


#: Let the server say what it has to say so far.
_FLUSH: Final = _message(b"H")


def _failing(kind: bytes, state: str) -> bytes:
    """Return what makes the server fail with that SQLSTATE, in place of a statement."""
    raised = f"DO $$BEGIN RAISE EXCEPTION 'provoked' USING ERRCODE = '{state}'; END$$".encode()
    if kind == _QUERY:
        return _message(_QUERY, raised, b"\0")
    return b"".join(
        (
            _message(b"P", b"\0", raised, b"\0", bytes(2)),
            _message(b"B", b"\0\0", bytes(6)),
            _message(_EXECUTE, b"\0", bytes(4)),
        )
    )


@attrs.define(eq=False)
class _Line:
    """One connection: what comes from the server, as far as who sends to it must know."""

    pid: int = 0
    #: What was sent in parts has failed: the server passes over all up to the next sync.
    failed: bool = False
    #: The client gets nothing more.
    silent: bool = False
    answered: asyncio.Event = attrs.Factory(asyncio.Event)


@attrs.define(eq=False)
class Wire:
    """Stands between clients and the server at *server*."""

    server: URL
    #: What is to go wrong from now on.
    fault: Fault | None = None
    #: How often each SQLSTATE was told by the server.
    states: Counter[str] = attrs.Factory(Counter)
    _ready: threading.Event = attrs.Factory(threading.Event)
    _port: int = attrs.field(default=0, init=False)
    _over: asyncio.Event = attrs.field(init=False)
    _loop: asyncio.AbstractEventLoop = attrs.field(init=False)

    @property
    def url(self) -> URL:
        """Where clients find it."""
        here = self.server.set(host=_HOST, port=self._port)
        here = here.difference_update_query(["host", "port"])
        return here.update_query_dict({"sslmode": "disable", "gssencmode": "disable"})

    def run(self) -> None:
        """Serve clients until it is closed."""
        asyncio.run(self._serve())

    def ready(self) -> None:
        """Wait until it serves clients."""
        self._ready.wait()

    def close(self) -> None:
        """Serve no more."""
        self._loop.call_soon_threadsafe(self._over.set)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._joined, _HOST, 0) as serving:
            self._port = serving.sockets[0].getsockname()[1]
            self._ready.set()
            await self._over.wait()

    async def _joined(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Pass on what a client and the server say to each other."""
        server, on = await self._connected()
        # a client that is still there in the end is left alone
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            length = await client.readexactly(4)
            on.write(length + await client.readexactly(int.from_bytes(length) - 4))
            line = _Line()
            sending = asyncio.create_task(self._sent(line, client, on))
            with suppress(ConnectionError):
                await self._received(line, server, back)
            sending.cancel()
        back.close()
        on.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        told = self.server.translate_connect_args() | dict(self.server.query)
        host, port = str(told.get("host", "localhost")), str(told.get("port", 5432))
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _received(
        self, line: _Line, server: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        async for kind, body in _messages(server):
            if not line.silent:
                back.write(_message(kind, body))
                await back.drain()
            if kind == _BACKEND:
                line.pid = int.from_bytes(body[:4])
            if kind == _ERROR:
                line.failed = True
                self.states[_state(body)] += 1
            if kind == _READY:
                line.failed = False
            if kind in _ANSWERS:
                line.answered.set()

    async def _sent(
        self, line: _Line, client: asyncio.StreamReader, on: asyncio.StreamWriter
    ) -> None:
        """Send on what comes."""
        with suppress(ConnectionError):
            async for kind, body in _messages(client):
                if kind == _SYNC:
                    line.failed = False
                if kind != _QUERY and (kind != _EXECUTE or line.failed):
                    on.write(_message(kind, body))
                elif not await self._stated(line, on, kind, body):
                    return
        # the client is gone
        on.close()

    async def _stated(
        self, line: _Line, on: asyncio.StreamWriter, kind: bytes, body: bytes
    ) -> bool:
        """Send on a statement, and wait until it is through; return whether more may follow."""
        how = None if self.fault is None else self.fault.met()
        message = _message(kind, body)
        if how == "ended":
            await asyncio.to_thread(self._end, line.pid)
            return False
        if how == "unanswered":
            line.silent = True
        elif how is not None:
            message = _failing(kind, how) + (message if kind == _EXECUTE else b"")
        line.answered.clear()
        on.write(message + (_FLUSH if kind == _EXECUTE else b""))
        await line.answered.wait()
        if line.silent:
            on.close()
        return not line.silent

    def _end(self, pid: int) -> None:
        """End the backend, and wait until it is no more."""
        engine = create_engine(self.server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    with suppress(asyncio.IncompleteReadError):
        while True:
            kind = await reader.readexactly(1)
            length = int.from_bytes(await reader.readexactly(4))
            yield kind, await reader.readexactly(length - 4)


def _state(error: bytes) -> str:
    """Return the SQLSTATE of an error."""
    return next(field[1:].decode() for field in error.split(b"\0") if field[:1] == b"C")


@contextmanager
def wire(url: str) -> Iterator[Wire]:
    """Yield a wire to the server at *url*."""
    one = Wire(make_url(url).set(drivername="postgresql+psycopg"))
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    one.ready()
    try:
        yield one
    finally:
        one.close()
        thread.join()
