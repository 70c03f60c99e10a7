"""Asking the process that holds the model: the server's end of the pipe."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from engine.errors import SpinneretError
from engine.web.helpers.crew import end, spawn
from engine.web.helpers.messages import error_of
from engine.workspace import Workspace

# The first question after a start waits for torch and a fit on a busy machine.
PATIENCE_S = 120.0


class OracleBusyError(SpinneretError):
    """The model's process has not answered in time."""


class AskOracle:
    """Starts the process when it is first asked, and again if it died."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.process: subprocess.Popen[bytes] | None = None
        self.waiting: dict[int, Future[Any]] = {}
        self.lock = threading.Lock()
        self.last = 0

    async def ask(
        self, question: str, params: Mapping[str, Any], campaign_id: int | None
    ) -> dict[str, Any]:
        """Ask about a campaign, and wait for the answer without blocking the event loop.

        Raises:
            OracleBusyError: no answer in time.
            SpinneretError, DatabaseError: what the function asked raised.
        """
        # Starting a process and writing to a full pipe both block.
        future = await asyncio.to_thread(self._send, question, params, campaign_id)
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)
        except TimeoutError:
            raise OracleBusyError(
                f"the model has not answered for {PATIENCE_S:g} s; it is busy. Try again later"
            ) from None
        return dict(answer)

    def stop(self) -> None:
        """End the process."""
        with self.lock:
            if self.process is not None:
                end(self.process, 1.0)
                self.process = None

    def _send(
        self, question: str, params: Mapping[str, Any], campaign_id: int | None
    ) -> Future[Any]:
        future: Future[Any] = Future()
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self._start()
            assert self.process is not None  # noqa: S101 -- started above
            assert self.process.stdin is not None  # noqa: S101 -- a pipe, by construction
            self.last += 1
            self.waiting[self.last] = future
            line = json.dumps(
                {
                    "id": self.last,
                    "campaign": campaign_id,
                    "ask": question,
                    "params": dict(params),
                }
            )
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        return future

    def _start(self) -> None:
        arguments = (str(self.workspace.config_path),)
        threads = self.workspace.settings.compute.threads
        self.process = spawn("engine.web.helpers.answering", arguments, "oracle", threads)
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 -- a pipe, by construction
        with suppress(ValueError, OSError):
            for line in process.stdout:
                answer = json.loads(line)
                with self.lock:
                    future = self.waiting.pop(answer["id"], None)
                if future is None or future.done():
                    continue
                if "error" in answer:
                    future.set_exception(error_of(answer))
                else:
                    future.set_result(answer["answer"])
        with self.lock:
            # The pipe has ended: nobody will answer these.
            unanswered, self.waiting = self.waiting, {}
        for future in unanswered.values():
            if not future.done():
                future.set_exception(OracleBusyError("the model's process ended; try again"))
