"""What workq is measured at over TLS, against a second private broker that speaks it."""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from contest import Claim, Contest
from publishing import Receiver, bulk, milliseconds
from stage import REPOSITORY, Queue, amqp, limit, lines, pika, workq
from working import seconds_per_task


def contests(scaled):
    """By key; each is made, with its queues, when its turn has come."""
    return {
        "tls-one": one,
        "tls-lines": lambda: many(scaled(20_000), 16),
        "tls-tasks-1": lambda: fake_tasks(1, scaled(4_000)),
        "tls-tasks-100": lambda: fake_tasks(100, scaled(20_000)),
    }


@dataclass
class Broker:
    url: str  # with TLS
    plain: str  # without, for what is not measured
    authority: str  # the file with the certificate of who signed the broker's

    def queue(self, name, kind=Queue):
        return kind(f"tls-{name}", self.plain)

    def workq(self, subcommand, *words):
        return workq(subcommand, "--cacert", self.authority, *words)

    def amqp(self, tool, *words):
        return amqp(tool, "--cacert", self.authority, *words, url=self.url)


@functools.cache
def broker():
    """Starts it; it is ended with the one that all other rows use."""
    directory = Path(os.environ["WORKQ_TEST_BROKERS"]) / "tls"
    certificates = directory / "certificates"
    certificates.mkdir(parents=True)
    subprocess.run([REPOSITORY / "Tests/TestSupport/certificates", certificates], check=True)
    options = {"cacertfile": "ca.pem", "certfile": "server.pem", "keyfile": "server.key"}
    settings = [f"ssl_options.{name} = {certificates / file}\n" for name, file in options.items()]
    (directory / "tls.conf").write_text("".join(settings) + "ssl_options.verify = verify_none\n")
    command = [REPOSITORY / "Tests/TestSupport/broker", "start", directory]
    plain = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    port = (directory / "ports").read_text().split()[3]
    # For pika and the C programs.
    os.environ["SSL_CERT_FILE"] = str(certificates / "ca.pem")
    return Broker(f"amqps://guest:guest@localhost:{port}/%2f", plain, os.environ["SSL_CERT_FILE"])


def one():
    at = broker()
    queues = {name: at.queue(f"one-{name}", Receiver) for name in ["workq", "amqp", "pika", "limit"]}
    ours, theirs, python, limits = queues.values()
    to = {"url": at.url}
    return Contest(
        {
            "workq": milliseconds(
                at.workq("publish", "-q", ours.name, "hello"), ours.has_one_more_already, **to
            ),
            "amqp": milliseconds(
                at.amqp("publish", "-p", "-r", theirs.name, "-b", "hello"), theirs.has_one_more, **to
            ),
            "pika": milliseconds(pika("new_task", python.name, "classic", "hello"), python.has_one_more, **to),
            "limit": milliseconds(
                limit("limit-publish", limits.name, 1), limits.has_one_more_already, stdin=lines(1, 16), **to
            ),
        },
        [
            Claim("one task over TLS, confirmed / amqp-publish -p", "workq", "amqp", at_most=0.95),
            Claim("  … workq / C limit, confirmed, over TLS", "workq", "limit"),
            Claim("  … workq / pika's new_task.py over TLS", "workq", "pika"),
        ],
        times=5,
    )


def many(count, size):
    at = broker()
    queue = at.queue("many")

    def publisher(command, timeout=0):
        return bulk(queue, command, count, size, timeout, url=at.url)

    what = f"{count:,} lines over TLS"
    return Contest(
        {
            "workq": publisher(at.workq("publish", "-q", queue.name, "--lines")),
            "limit": publisher(limit("limit-publish", queue.name, 1000)),
            "amqp": publisher(at.amqp("publish", "-p", "-l", "-r", queue.name), timeout=30),
        },
        [
            Claim(f"{what}, confirmed / C limit", "workq.exit", "limit.exit", at_least=0.95, unit="/s"),
            Claim(f"  … {what} / amqp-publish -p -l", "workq.queue", "amqp.queue", unit="/s"),
            Claim("  … processor time per line, workq / C limit", "workq.cpu", "limit.cpu", unit="µs"),
        ],
    )


TARGETS = {1: 0.95, 100: 1.4}  # against C, as without TLS


def fake_tasks(prefetch, count):
    """Tasks that are done at once, so that only the worker's own work is left."""
    at = broker()
    queue = at.queue("fake")

    def rate(command_for, tasks=count):
        per_task = seconds_per_task(queue, command_for, tasks, url=at.url)
        return lambda: 1 / per_task()

    def ours(tasks):
        return at.workq("work", "--fake", "-q", queue.name, "--prefetch", prefetch, "--count", tasks)

    what = f"tasks over TLS, prefetch {prefetch}"
    return Contest(
        {
            "workq": rate(ours),
            "limit": rate(lambda tasks: limit("limit-work", queue.name, tasks, prefetch, 1)),
            "pika": rate(lambda tasks: pika("worker", queue.name, "classic", prefetch, tasks), count // 2),
        },
        [
            Claim(f"{what} / C limit acking each", "workq", "limit", at_least=TARGETS[prefetch], unit="/s"),
            Claim(f"  … {what} / pika's worker.py", "workq", "pika", unit="/s"),
        ],
        times=5 if prefetch == 1 else 1,
    )
