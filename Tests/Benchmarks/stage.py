"""Where the benchmark's programs run: their broker, their queues, their input, and the clock."""

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BUILD = REPOSITORY / ".build" / "bench"
WORKQ = os.environ.get("WORKQ", str(REPOSITORY / ".build/release/workq"))
TUTORIAL = REPOSITORY / "Tests/LiveTests/Tutorial"
MEASURE_MEMORY = ["/usr/bin/time", "-f", "%M", "-o", str(BUILD / "memory")]  # in KiB
LIMITS = ["limit-publish", "limit-work", "limit-spawn", "queue", "resident"]


class Failed(Exception):
    """A program did not do what it was to be measured at."""


@dataclass
class Run:
    """A program that has ended well."""

    seconds: float
    cpu: float  # user and system, in seconds


def build_limits():
    BUILD.mkdir(parents=True, exist_ok=True)
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "librabbitmq"], check=True, capture_output=True, text=True
    ).stdout.split()
    for name in LIMITS:
        subprocess.run(
            ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", BUILD / name, HERE / f"{name}.c", *flags],
            check=True,
        )


def environment(url=None):
    """Nothing of the user's own settings, and the broker's address."""
    foreign = {"WORKQ_URL", "WORKQ_QUEUE", "RABBITMQ_URL", "CLOUDAMQP_URL"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"AMQP_URL": url or os.environ["AMQP_URL"]}


def limit(name, *words):
    return [str(BUILD / name), *map(str, words)]


def amqp(tool, *words, url=None):
    return [f"/usr/bin/amqp-{tool}", "--url", url or os.environ["AMQP_URL"], *map(str, words)]


def pika(script, *words):
    return ["/usr/bin/python3", str(TUTORIAL / f"{script}.py"), *map(str, words)]


def workq(*words):
    return [WORKQ, *map(str, words)]


def run(command, stdin=os.devnull, stdout=os.devnull, url=None, timeout=300, code=0):
    """Runs a program to its end; fails unless that comes in time and with this exit code."""
    started = time.perf_counter()
    pid = spawn(command, stdin, stdout, url)
    try:
        if not has_ended(pid, timeout):
            raise Failed(f"{name_of(command)} had not ended after {timeout} s")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    seconds = time.perf_counter() - started
    _, status, usage = os.wait4(pid, 0)
    check(command, status, code)
    return Run(seconds, usage.ru_utime + usage.ru_stime)


@contextlib.contextmanager
def running(command, stdout=os.devnull):
    """Starts a program, lends its pid, and stops it by TERM, which has to make it leave with 0."""
    pid = spawn(command, os.devnull, stdout, None)
    try:
        yield pid
        os.kill(pid, signal.SIGTERM)
        if not has_ended(pid, 30):
            raise Failed(f"{name_of(command)} did not leave on TERM")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    check(command, os.waitpid(pid, 0)[1])


def peak_memory(command, stdin=os.devnull, stdout=os.devnull, timeout=1800):
    """The most memory that a program ever held, in MB (2^20 bytes)."""
    run([*MEASURE_MEMORY, *command], stdin, stdout, timeout=timeout)
    return int((BUILD / "memory").read_text().split()[-1]) / 1024


def spawn(command, stdin, stdout, url):
    # vfork and exec: a fork of this process would be part of what is measured.
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        command[0],
        command,
        environment(url),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(stdout), writing, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(BUILD / "errors"), writing, 0o600),
        ],
    )


def has_ended(pid, timeout):
    end = os.pidfd_open(pid)
    try:
        return bool(select.select([end], [], [], timeout)[0])
    finally:
        os.close(end)


def check(command, status, expected=0):
    code = os.waitstatus_to_exitcode(status)
    if code == expected:
        return
    lines = (BUILD / "errors").read_text(errors="replace").strip().splitlines()
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    raise Failed(f"{name_of(command)}: {how}: {lines[0] if lines else 'no word of explanation'}")


def name_of(command):
    """`workq publish`, `amqp-publish`, `python3 worker.py`, …"""
    if command[0] == MEASURE_MEMORY[0]:
        command = command[len(MEASURE_MEMORY) :]
    words = [os.path.basename(word) for word in command[:2] if not word.startswith("-")]
    return " ".join(words)


def lines(count, size):
    """A file with so many lines, each of `size` bytes without its end, and without a dot."""
    path = BUILD / f"{count}-lines-of-{size}"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with open(partial, "w", encoding="ascii") as file:
            file.writelines(f"{number:016d}{'x' * (size - 16)}\n" for number in range(count))
        partial.rename(path)
    return path


class Queue:
    """A queue whose contents the benchmark knows, or it fails; of the broker at `url`, or of the usual one."""

    def __init__(self, name, url=None):
        self.name, self.url = f"bench-{name}", url
        self.empty()

    def empty(self):
        run(limit("queue", "fresh", self.name), url=self.url)

    def fill(self, count, size=16):
        self.empty()
        run(limit("limit-publish", self.name, 1000), stdin=lines(count, size), url=self.url)
        self.has(count)

    def has(self, messages, consumers=0, timeout=10):
        """Waits until it has just these; unacknowledged messages are back when no consumer is left."""
        command = limit("queue", "wait", self.name, messages, consumers, timeout)
        return run(command, url=self.url, timeout=timeout + 30)
