"""1,000 judgements at concurrency 32 on a server with a fixed latency of 200 ms.

    python tests/benchmarks/bench_endpoint.py

Claim: wall time within 1.15 of the ideal, which is ceil(1000 / 32) rounds of 200 ms. The server
runs in a process of its own. Beside it, as a control of the machine, the same requests over bare
asyncio sockets with next to nothing read: where that is far from the ideal, too, others
hold the processor, and this run says little about us.
"""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.records import JudgeItem
from judges.rubric import Rubric

COUNT, CONCURRENCY, LATENCY, CLAIM = 1000, 32, 0.2, 1.15
SERVER = Path(__file__).parents[1] / "support" / "scripted_server.py"
RUBRIC = """name: bench
version: 1
description: d
role: a judge
dimensions:
  - {name: quality, description: Is it good, scale: {1: no good, 2: fair, 3: good, 4: very good}}
"""


async def bare(port: int) -> None:
    """The same number of requests at the same concurrency, by hand."""
    body = b'{"model": "m", "messages": [{"role": "user", "content": "q"}]}'
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    waiting = iter(range(COUNT))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


def main() -> int:
    """Print the wall time; exit status 1 where the claim does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        rubric = Path(folder) / "bench.yaml"
        rubric.write_text(RUBRIC, encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, str(SERVER), str(LATENCY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            judge = Rubric(
                str(rubric),
                model="m",
                base_url=f"http://127.0.0.1:{port}/v1",
                concurrency=CONCURRENCY,
                structured="text",
            )
            list(judge.grade([JudgeItem(question="q", answer="warm up")]))
            items = [JudgeItem(question="q", answer=f"answer {n}") for n in range(COUNT)]
            started, cpu = time.perf_counter(), time.process_time()
            got = list(judge.grade(items))
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            started = time.perf_counter()
            asyncio.run(bare(port))
            control = time.perf_counter() - started
        finally:
            server.communicate()
    assert len(got) == COUNT
    assert all(judgement.value == 3 for judgement in got)
    ideal = math.ceil(COUNT / CONCURRENCY) * LATENCY
    holds = wall <= CLAIM * ideal
    print(
        f"{COUNT} judgements at concurrency {CONCURRENCY}: {wall:.2f} s, {wall / ideal:.3f} of the"
        f" ideal {ideal:.1f} s (claim {CLAIM}, {'holds' if holds else 'FAILS'}); {cpu:.2f} s of CPU; bare"
        f" sockets {control / ideal:.3f} of the ideal"
    )
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
