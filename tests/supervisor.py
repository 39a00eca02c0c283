"""A replacement for Airflow's task supervisor, which answers the requests of a task as the test determines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import pytest
from airflow.sdk.execution_time import comms, task_runner


@contextmanager
def supervisor(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """Replace the supervisor of this process.

    :param answer: takes a request and returns what is sent back; runs in a thread, and may wait
    """
    ours, theirs = socket.socketpair()
    decoder: comms.CommsDecoder[Any, Any] = comms.CommsDecoder(socket=ours)
    read = msgspec.msgpack.Decoder(comms._RequestFrame).decode

    def serve() -> None:
        stream = theirs.makefile("rb")
        while length := stream.read(4):
            frame = read(stream.read(int.from_bytes(length, "big")))
            response = comms._ResponseFrame(id=frame.id, body=answer(frame.body or {}))
            with suppress(BrokenPipeError):  # the test has ended
                theirs.sendall(response.as_bytes())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(task_runner, "SUPERVISOR_COMMS", decoder, raising=False)
            yield
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        thread.join()
        ours.close()
        theirs.close()


def task_states(state: str | None) -> dict[str, Any]:
    """Return the response to a request for the state of the task ``task`` in the run ``run``."""
    return {"type": "TaskStatesResult", "task_states": {"run": {"task": state}}}
