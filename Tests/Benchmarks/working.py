"""What `workq work` is measured at."""

import statistics
import time
from pathlib import Path

from contest import Claim, Contest
from stage import BUILD, Failed, Queue, amqp, limit, lines, pika, run, running, workq


def contests(scaled):
    """By key; each is made, with its queues, when its turn has come."""
    return {
        "tasks-1": lambda: fake_tasks(1, scaled(4_000)),
        "tasks-100": lambda: fake_tasks(100, scaled(20_000)),
        "tasks-1000": lambda: fake_tasks(1000, scaled(40_000)),
        "resident": lambda: resident(scaled(40_000), scaled(4_000), scaled(1_000)),
        "batch": lambda: batches(scaled(40_000)),
        "cat": lambda: cat(scaled(1_000)),
        "true": lambda: spawning(scaled(2_000)),
        "jobs": lambda: jobs(scaled(32)),
        "worker-memory": lambda: memory(scaled(100_000), scaled(1_000_000)),
        "idle": lambda: idling(scaled(60)),
    }


def seconds(queue, command_for, count, **options):
    """How long a program takes for so many tasks; all have to be acknowledged."""
    queue.fill(count)
    result = run(command_for(count), **options)
    queue.has(0)
    return result.seconds


def seconds_per_task(queue, command_for, count, **options):
    """A turn that measures the same without start and stop: what a run for one task takes is taken off."""
    starts = []

    def turn():
        starts.append(seconds(queue, command_for, 1, **options))
        rest = seconds(queue, command_for, count, **options) - statistics.median(starts)
        if rest <= 0:
            raise Failed(f"{count} tasks are too few to measure")
        return rest / (count - 1)

    return turn


FAKE_TARGETS = {1: (0.95, 2.5), 100: (1.4, 10), 1000: (1.7, None)}  # against C, against pika


def fake_tasks(prefetch, count):
    """Tasks that are done at once, so that only the worker's own work is left."""
    queue = Queue("fake")

    def rate(command_for, tasks=count):
        per_task = seconds_per_task(queue, command_for, tasks)
        return lambda: 1 / per_task()

    def ours(*options):
        return lambda tasks: workq(
            "work", "--fake", "-q", queue.name, "--prefetch", prefetch, "--count", tasks, *options
        )

    def limits(batch):
        return lambda tasks: limit("limit-work", queue.name, tasks, prefetch, batch)

    contestants = {"workq": rate(ours()), "quiet": rate(ours("--quiet")), "limit": rate(limits(1))}
    what = f"tasks, prefetch {prefetch}"
    target, target_for_pika = FAKE_TARGETS[prefetch]
    claims = [
        Claim(f"{what} / C limit acking each", "workq", "limit", at_least=target, unit="/s"),
        Claim("  … workq --quiet / C limit acking each", "quiet", "limit", unit="/s"),
    ]
    if prefetch > 1:
        contestants["batch"] = rate(limits(prefetch // 2))
        claims.append(Claim("  … workq / C limit acking half of them at once", "workq", "batch", unit="/s"))
    if target_for_pika:
        by_pika = rate(lambda tasks: pika("worker", queue.name, "classic", prefetch, tasks), count // 2)
        contestants["pika"] = by_pika
        claims.append(
            Claim(f"{what} / pika's worker.py", "workq", "pika", at_least=target_for_pika, unit="/s")
        )
        claims.append(Claim("  … C limit acking each / pika's worker.py", "limit", "pika", unit="/s"))
    # With one task under way the processors may sleep between any two, or not: such rates vary much.
    return Contest(contestants, claims, times=5 if prefetch == 1 else 1)


PYTHON_HELPER = """import json, os, sys
for line in sys.stdin: json.loads(line); os.write(3, b"0\\n")"""


def work_rate(queue, count, options, *command):
    """How many tasks a second a worker does, without its start and stop."""

    def command_for(tasks):
        return workq(
            "work", "-q", queue.name, "--quiet", "--count", tasks, *options, *(["--", *command] if command else [])
        )

    per_task = seconds_per_task(queue, command_for, count)
    return lambda: 1 / per_task()


def resident(many, single, spawned):
    """Commands that stay, against no command at all and against one process per task."""
    queue = Queue("resident")
    helper = BUILD / "resident"
    return Contest(
        {
            "fake": work_rate(queue, many, ["--fake", "--prefetch", 100]),
            "c": work_rate(queue, many, ["--resident", "--window", 100], helper),
            "python": work_rate(queue, many, ["--resident", "--window", 100], "python3", "-c", PYTHON_HELPER),
            "fake-1": work_rate(queue, single, ["--fake", "--prefetch", 1]),
            "c-1": work_rate(queue, single, ["--resident"], helper),
            "cat": work_rate(queue, spawned, [], "cat"),
        },
        [
            Claim("work --resident --window 100, in C / no command", "c", "fake", at_least=0.8, unit="/s"),
            Claim("  … in Python / no command", "python", "fake", at_least=0.4, unit="/s"),
            Claim("  … in C / work -- cat", "c", "cat", at_least=30, unit="/s"),
            Claim("work --resident, in C / no command, prefetch 1", "c-1", "fake-1", at_least=0.7, unit="/s"),
        ],
    )


def batches(count):
    queue = Queue("batch")
    command = ["sh", "-c", "cat >/dev/null"]
    return Contest(
        {
            "fake": work_rate(queue, count, ["--fake", "--prefetch", 1000]),
            "fake-500": work_rate(queue, count, ["--fake", "--prefetch", 500]),
            "batch": work_rate(queue, count, ["--batch", 500, "--prefetch", 1000], *command),
            "batch-500": work_rate(queue, count, ["--batch", 500], *command),
        },
        [
            Claim("work --batch 500 -- cat / no command, prefetch 1000", "batch", "fake", at_least=0.7, unit="/s"),
            Claim("  … prefetch 500, the default", "batch-500", "fake-500", unit="/s"),
        ],
    )


def cat(count):
    queue = Queue("cat")
    output = BUILD / "output"

    def rate(command_for):
        per_task = seconds_per_task(queue, command_for, count, stdout=output)

        def turn():
            rate = 1 / per_task()
            if output.stat().st_size != count * 16:
                raise Failed(f"{output.stat().st_size} bytes came out of cat, not {count * 16}")
            return rate

        return turn

    def ahead(prefetch):
        return lambda tasks: workq(
            "work", "-q", queue.name, "--prefetch", prefetch, "--count", tasks, "--", "cat"
        )

    return Contest(
        {
            "workq": rate(lambda tasks: workq("work", "-q", queue.name, "--count", tasks, "--", "cat")),
            "two": rate(ahead(2)),
            "ahead": rate(ahead(0)),
            "amqp": rate(lambda tasks: amqp("consume", "-q", queue.name, "-c", tasks, "cat")),
            "fair": rate(lambda tasks: amqp("consume", "-q", queue.name, "-p", 1, "-c", tasks, "cat")),
            "limit": rate(lambda tasks: limit("limit-work", queue.name, tasks, 1, 1, "cat")),
        },
        [
            Claim("work -- cat / amqp-consume cat", "workq", "amqp", at_least=1.2, unit="/s"),
            Claim("  … work --prefetch 2 -- cat / amqp-consume cat", "two", "amqp", at_least=1.1, unit="/s"),
            Claim("  … work --prefetch 0 -- cat / amqp-consume cat", "ahead", "amqp", unit="/s"),
            Claim("  … work -- cat / amqp-consume -p 1 cat", "workq", "fair", at_least=1, unit="/s"),
            Claim("  … work -- cat / C limit that runs cat", "workq", "limit", unit="/s"),
            Claim("  … C limit that runs cat / amqp-consume cat", "limit", "amqp", unit="/s"),
        ],
    )


def spawning(count):
    queue = Queue("true")

    def command_for(tasks):
        return workq("work", "-q", queue.name, "--count", tasks, "--", "/bin/true")

    def limit_for(tasks):
        return limit("limit-work", queue.name, tasks, 1, 1, "/bin/true")

    ours, limits = seconds_per_task(queue, command_for, count), seconds_per_task(queue, limit_for, count)

    return Contest(
        {
            "workq": lambda: ours() * 1000,
            "limit": lambda: limits() * 1000,
            "spawn": lambda: run(limit("limit-spawn", count, "/bin/true")).seconds / count * 1000,
        },
        [
            Claim(
                "a task of work -- /bin/true − posix_spawn, waitpid",
                "workq", "spawn", at_most=0.25, compare="difference",
            ),
            Claim("  … a task of the C limit that runs it − the same", "limit", "spawn", compare="difference"),
        ],
    )  # fmt: skip


def jobs(count):
    queue = Queue("jobs")

    def rate(jobs, tasks):
        command = workq("work", "-q", queue.name, "-j", jobs, "--count", tasks, "--", "sleep", "0.1")
        return lambda: tasks / seconds(queue, lambda _: command, tasks)

    return Contest(
        {"one": rate(1, count), "many": rate(16, count * 16)},
        [Claim("work -j 16 -- sleep 0.1 / -j 1", "many", "one", at_least=15, unit="/s")],
        times=0.5,
        warms_up=False,
    )


def memory(few, many):
    """The memory's high-water mark before the first task, and after few and many of them."""
    queue = Queue("worker-memory")

    def peak(pid):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def work_on(count, pid):
        run(limit("limit-publish", queue.name, 1000), stdin=lines(count, 16), timeout=1800)
        queue.has(0, consumers=1, timeout=600)
        return peak(pid)

    def turn():
        queue.empty()
        with running(workq("work", "--fake", "-q", queue.name, "--prefetch", 100)) as pid:
            queue.has(0, consumers=1)
            idle = peak(pid)
            figures = {"idle": idle, "few": work_on(few, pid), "many": work_on(many - few, pid)}
            time.sleep(1)  # for the last 100 to be acknowledged: else they come back, and it fails
        queue.has(0)
        return figures

    return Contest(
        {"workq": turn},
        [
            Claim("memory of an idle worker", "workq.idle", at_most=12, unit="MB"),
            Claim(f"memory of a worker after {many:,} tasks, peak", "workq.many", at_most=12, unit="MB"),
            Claim(f"memory after {many:,} tasks / after {few:,}", "workq.many", "workq.few", at_most=1.1, unit="MB"),
        ],
        times=0.1,
        warms_up=False,
    )


def idling(duration):
    queue = Queue("idle")

    def cpu(pid):
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6

    def turn():
        queue.empty()
        with running(workq("work", "--fake", "-q", queue.name)) as pid:
            queue.has(0, consumers=1)
            before = cpu(pid)
            time.sleep(duration)
            used = cpu(pid) - before
            queue.has(0, consumers=1)
        queue.has(0)
        return used

    return Contest(
        {"workq": turn},
        [Claim(f"processor time of an idle worker in {duration} s", "workq", at_most=20)],
        times=0.1,
        warms_up=False,
    )
