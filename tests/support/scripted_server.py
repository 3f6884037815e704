"""An HTTP server that answers chat completions by script, and misbehaves on purpose.

A script is a function of the request and of how often that very request came before. It returns a
``Reply``; its fields say what goes wrong. Runs on a loop in a thread, or as a process of its own
(``python scripted_server.py LATENCY``), which prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        body: Sent as it is if a string, as JSON otherwise.
        delay: Seconds before the first byte.
        drop: Close the connection after this many bytes of the response (None: send all).
        drip: Seconds between single bytes of the body.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: int | None = None
    drip: float = 0.0


def says(
    content: Any, finish_reason: str = "stop", prompt_tokens: int = 20, completion_tokens: int = 5,
    **message: Any,
) -> Reply:  # fmt: skip
    """A well-formed chat completion."""
    return Reply(
        body={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish_reason,
                    "message": {"role": "assistant", "content": content, **message},
                }
            ],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        }
    )


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI words it; header names with underscores."""
    return Reply(
        status=status,
        body={"error": {"message": message, "type": "error", "code": code}},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


Script = Callable[[dict[str, Any], int], Reply]


class ScriptedServer:
    """Answers ``POST`` by script on a loopback port of its own.

    Attributes:
        requests: Every request's JSON, in order of arrival.
        most_at_once: The greatest number of requests under way at a time.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self.port = 0
        self._seen: Counter[str] = Counter()
        self._under_way = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
        }
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        request = json.loads(raw) if raw else {}
        key = raw.decode("utf-8", "replace")
        before = self._seen[key]
        self._seen[key] += 1
        self.requests.append(request)
        self.headers.append(headers)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            reply = self.script(request, before)
            await asyncio.sleep(reply.delay)
        finally:
            self._under_way -= 1
        return await self._send(writer, reply)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        body = text.encode()
        kind = "text/html" if isinstance(reply.body, str) else "application/json"
        fields = {"content-type": kind, "content-length": str(len(body)), **reply.headers}
        head = f"HTTP/1.1 {reply.status} scripted\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in fields.items()
        )
        whole = head.encode("latin-1") + b"\r\n" + body
        if reply.drop is not None:
            writer.write(whole[: reply.drop])
            await writer.drain()
            writer.transport.abort()
            return False
        if reply.drip:
            for byte in whole:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(reply.drip)
        else:
            writer.write(whole)
            await writer.drain()
        return True


if __name__ == "__main__":
    verdict = json.dumps({"reason": "fine", "score": 3})
    with ScriptedServer(
        lambda request, _: Reply(body=says(verdict).body, delay=float(sys.argv[1]))
    ) as running:
        print(running.port, flush=True)
        sys.stdin.read()
