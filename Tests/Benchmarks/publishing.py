"""What `workq publish` is measured at."""

import contextlib
import subprocess
from urllib.parse import urlsplit

from contest import Claim, Contest
from stage import BUILD, HERE, Failed, Queue, amqp, environment, limit, lines, peak_memory, pika, run, workq


def contests(scaled):
    """By key; each is made, with its queues, when its turn has come."""
    return {
        "help": helping,
        "start": starting,
        "one": one,
        "far": one_far_away,
        "pika": one_by_python,
        "lines-16": lambda: many(scaled(100_000), 16),
        "lines-256": lambda: many(scaled(100_000), 256),
        "lines-memory": lambda: memory(scaled(100_000), scaled(1_000_000)),
    }


def milliseconds(command, check=lambda: None, **options):
    """A contestant: the whole process, from spawn to exit, and then whether it did its work."""

    def turn():
        result = run(command, **options)
        check()
        return result.seconds * 1000

    return turn


def starting():
    """Up to the first packet: there is no broker at the address, and the connection is refused at once."""
    no_broker = "amqp://127.0.0.1:1"
    starts = {
        "publish --priority": (workq("publish", "--priority", 5, "hello"), 69),
        "work": (workq("work", "-j", 4, "--timeout", "5m", "--", "true"), 69),
        "status": (workq("status", "mail"), 69),
        "declare": (workq("declare", "--type", "quorum", "mail"), 69),
        "a usage error": (workq("work", "--timeout", "5x"), 64),
    }
    contestants = {
        name: milliseconds(command, url=no_broker, code=code) for name, (command, code) in starts.items()
    }
    contestants["amqp"] = milliseconds(amqp("publish", "--help"))
    return Contest(
        contestants,
        [Claim(f"{name}, start / amqp-publish --help", name, "amqp", at_most=1.0) for name in starts],
        times=20,
    )


def helping():
    def has_printed(word):
        def check():
            if word not in (BUILD / "output").read_text():
                raise Failed(f"--help does not say '{word}'")

        return check

    output = BUILD / "output"
    return Contest(
        {
            "workq": milliseconds(workq("--help"), has_printed("publish"), stdout=output),
            "amqp": milliseconds(amqp("publish", "--help"), has_printed("--persistent"), stdout=output),
        },
        [Claim("workq --help / amqp-publish --help", "workq", "amqp", at_most=1.0)],
        times=20,
    )


class Receiver(Queue):
    """A queue that has to get one message more each time; what is confirmed is there at once."""

    def __init__(self, name, url=None):
        super().__init__(name, url)
        self.count = 0

    def has_one_more(self):
        self.count += 1
        self.has(self.count)

    def has_one_more_already(self):
        self.count += 1
        self.has(self.count, timeout=0)


def one():
    ours, theirs, limits = Receiver("one-workq"), Receiver("one-amqp"), Receiver("one-limit")
    return Contest(
        {
            "workq": milliseconds(workq("publish", "-q", ours.name, "hello"), ours.has_one_more_already),
            "amqp": milliseconds(
                amqp("publish", "-p", "-r", theirs.name, "-b", "hello"), theirs.has_one_more
            ),
            "limit": milliseconds(
                limit("limit-publish", limits.name, 1), limits.has_one_more_already, stdin=lines(1, 16)
            ),
        },
        [
            Claim("one task, confirmed / amqp-publish -p, unconfirmed", "workq", "amqp", at_most=0.95),
            Claim("  … workq / C limit, confirmed", "workq", "limit"),
        ],
        times=10,
    )


@contextlib.contextmanager
def far_broker():
    """The broker's address behind 20 ms in each direction."""
    url = environment()["AMQP_URL"]
    near = urlsplit(url)
    proxy = subprocess.Popen(
        [HERE / "delay-proxy", near.hostname, str(near.port), "20"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with proxy:
        port = int(proxy.stdout.readline())
        yield url.replace(f":{near.port}/", f":{port}/")


def one_far_away():
    ours, theirs = Receiver("far-workq"), Receiver("far-amqp")

    def by(command_at, check):
        def turn():
            with far_broker() as url:
                return milliseconds(command_at(url), check, url=url)()

        return turn

    return Contest(
        {
            "workq": by(lambda url: workq("publish", "-q", ours.name, "hello"), ours.has_one_more_already),
            "amqp": by(
                lambda url: amqp("publish", "-p", "-r", theirs.name, "-b", "hello", url=url),
                theirs.has_one_more,
            ),
        },
        [Claim("one task, confirmed / amqp-publish -p, 20 ms away each way", "workq", "amqp", at_most=0.35)],
        times=2,
    )


def one_by_python():
    ours, theirs, limits = Receiver("python-workq"), Receiver("python-pika"), Receiver("python-limit")
    return Contest(
        {
            "workq": milliseconds(workq("publish", "-q", ours.name, "hello"), ours.has_one_more_already),
            "pika": milliseconds(pika("new_task", theirs.name, "classic", "hello"), theirs.has_one_more),
            "limit": milliseconds(
                limit("limit-publish", limits.name, 1), limits.has_one_more_already, stdin=lines(1, 16)
            ),
        },
        [
            Claim("one task / pika's new_task.py", "workq", "pika", at_most=0.05),
            Claim("  … C limit / pika's new_task.py", "limit", "pika"),
        ],
        times=2,
    )


def bulk(queue, command, count, size, timeout=0, **options):
    """A contestant: the rate until all are confirmed or, where nothing is confirmed, until the queue has all."""

    def turn():
        queue.empty()
        result = run(command, stdin=lines(count, size), **options)
        waiting = queue.has(count, timeout=timeout)
        return {
            "exit": count / result.seconds,
            "queue": count / (result.seconds + waiting.seconds),
            "cpu": result.cpu / count * 1e6,
        }

    return turn


def many(count, size):
    queue = Queue("many")

    def publisher(command, timeout=0):
        return bulk(queue, command, count, size, timeout)

    what = f"{count:,} lines of {size} bytes"
    return Contest(
        {
            "workq": publisher(workq("publish", "-q", queue.name, "--lines")),
            "limit": publisher(limit("limit-publish", queue.name, 1000)),
            "bare": publisher(limit("limit-publish", queue.name, 1000, "bare")),
            "amqp": publisher(amqp("publish", "-p", "-l", "-r", queue.name), timeout=30),
        },
        [
            Claim(f"{what}, confirmed / C limit", "workq.exit", "limit.exit", at_least=0.95, unit="/s"),
            Claim(f"{what} / amqp-publish -p -l", "workq.queue", "amqp.queue", at_least=1.0, unit="/s"),
            Claim("  … workq / C limit without ids and times", "workq.exit", "bare.exit", unit="/s"),
            Claim("  … C limit / amqp-publish -p -l", "limit.queue", "amqp.queue", unit="/s"),
            Claim("  … processor time per line, workq / C limit", "workq.cpu", "limit.cpu", unit="µs"),
        ],
    )


def memory(few, many):
    queue = Queue("memory")

    def publish(count):
        queue.empty()
        peak = peak_memory(workq("publish", "-q", queue.name, "--lines"), stdin=lines(count, 16))
        queue.has(count, timeout=60)
        queue.empty()
        return peak

    return Contest(
        {"workq": lambda: {"few": publish(few), "many": publish(many)}},
        [
            Claim(f"memory for {many:,} lines, peak", "workq.many", at_most=24, unit="MB"),
            Claim(f"memory for {many:,} lines / for {few:,}", "workq.many", "workq.few", at_most=1.1, unit="MB"),
        ],
        times=0.1,
        warms_up=False,
    )
