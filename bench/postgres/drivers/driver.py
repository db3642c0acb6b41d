"""What all drivers share: the SQL, the rows, and the loop that takes orders.

A driver is a process. It is told, a line each on stdin, `{"case": "pool8", "seconds": 1.0}`, and answers
with a line: how many operations, in how many seconds, and how much processor time the process used.
"""

import asyncio
import json
import os
import sys
import time

import uvloop

DSN = os.environ["BENCH_DSN"]
SELECT = "select id, name, age, score from bench_users where id = $1"
ROWS = "select id, title, written, done from bench_notes"
NUMBERS = "select id, name, age, score from bench_users"
INSERT = "insert into bench_rows (id, name, age, score) values ($1, $2, $3, $4)"
TRUNCATE = "truncate bench_rows"
COLUMNS = ["id", "name", "age", "score"]
USERS = 1000
COPIED = [(i, f"user number {i}", i % 90, i / 7) for i in range(10_000)]
MANY = COPIED[:1000]

now = time.perf_counter


async def run_tasks(worker, count, seconds):
    """Run so many tasks at once, each `worker(until)`, which returns how often it could."""
    until = now() + seconds
    return sum(await asyncio.gather(*(worker(until) for _ in range(count))))


async def repeat(seconds, operation, many):
    """Do it again and again; only the operation's own time counts, and not what tidies up behind it.

    `operation` may be a pair: what is measured, and what is not.
    """
    measured, tidy = operation if isinstance(operation, tuple) else (operation, None)
    total = spent = 0.0
    begin = now()
    while now() - begin < seconds or not total:
        started = now()
        await measured()
        spent += now() - started
        total += many
        if tidy is not None:
            await tidy()
    return total, spent


async def serve(driver):
    """Take orders until stdin ends."""
    await driver.open()
    reply({"ready": True})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        try:
            method = getattr(driver, order["case"])
            started, cpu = now(), time.process_time()
            done = await method(order["seconds"])
            spent, cpu = now() - started, time.process_time() - cpu
            if isinstance(done, tuple):
                done, spent = done
            reply({"operations": done, "seconds": spent, "cpu": cpu})
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {error}"})
    await driver.close()


def reply(found):
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main(driver):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(driver))
