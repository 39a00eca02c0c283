"""A uvicorn server that stops at once."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn

LOOPBACK = ("127.0.0.1", "localhost")


class Server(uvicorn.Server):
    """uvicorn that stops without waiting for its tick and aborts open connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def main_loop(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.listening.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def stop(self) -> None:
        """Stop the server from another thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
