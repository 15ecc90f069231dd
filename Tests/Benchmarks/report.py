"""What comes out: a table to read, results.json to compare with, results.svg and targets.svg to look at."""

import json
import os
import platform
import subprocess
from datetime import datetime, timezone

from stage import BUILD, HERE, REPOSITORY

COLUMNS = "{:<58} {:>11} {:>11}  {:>9} {:>15}  {:>9}  {}"


def heading():
    return COLUMNS.format("", "first", "second", "result", "(quartiles)", "target", "")


def line(row):
    if row["verdict"] == "failed":
        return COLUMNS.format(row["what"], "", "", "", "", target(row), f"failed: {row['why']}")
    unit, is_pair = row["unit"], row["theirs"] is not None
    low, high = (number(value) for value in row["quartiles"])
    return COLUMNS.format(
        row["what"],
        f"{number(row['ours'])} {unit}" if is_pair else "",
        f"{number(row['theirs'])} {unit}" if is_pair else "",
        result(row),
        f"({low}–{high})",
        target(row),
        row["verdict"],
    ).rstrip()


def result(row):
    return number(row["value"]) + suffix(row)


def target(row):
    if row["at_most"] is not None:
        return f"≤ {row['at_most']:g}{suffix(row)}"
    return f"≥ {row['at_least']:g}{suffix(row)}" if row["at_least"] is not None else ""


def suffix(row):
    return "×" if row["compare"] == "ratio" else f" {row['unit']}"


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3}f}"


def circumstances():
    """Which programs, on which machine."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": output("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"),
        "versions": {
            "swift": output("swift", "--version").splitlines()[0],
            "rabbitmq-c": package("librabbitmq-dev"),
            "RabbitMQ": package("rabbitmq-server"),
            "amqp-tools": package("amqp-tools"),
            "pika": package("python3-pika"),
        },
        "machine": {
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processor": processor(),
            "processors": os.cpu_count(),
            "memory in MB": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        },
    }


def output(*command):
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() or "unknown"


def package(name):
    return output("dpkg-query", "-W", "-f", "${Version}", name)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for entry in file:
            if entry.startswith("model name"):
                return entry.split(":", 1)[1].strip()
    return "unknown"


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (directory / "results.json").write_text(text + "\n", encoding="utf-8")
    draw_bars(results, directory / "results.svg")
    draw_targets(results, directory / "targets.svg")


# The picture of README.md: a title, and for each bar its name and where its figure is: a row of results.json, by the
# beginning of what it says, and a side of the row.
GROUPS = [
    (
        "Publish one task (less is better)",
        [
            ("workq", "one task, confirmed / amqp-publish -p, unconfirmed", "ours"),
            ("amqp-publish *", "one task, confirmed / amqp-publish -p, unconfirmed", "theirs"),
            ("pika", "one task / pika's new_task.py", "theirs"),
        ],
    ),
    (
        "Publish one task, 20 ms from the broker (less is better)",
        [
            ("workq", "one task, confirmed / amqp-publish -p, 20 ms away", "ours"),
            ("amqp-publish *", "one task, confirmed / amqp-publish -p, 20 ms away", "theirs"),
        ],
    ),
    (
        "Publish 100,000 lines (tasks per second)",
        [
            ("workq", "100,000 lines of 16 bytes / amqp-publish", "ours"),
            ("amqp-publish -l *", "100,000 lines of 16 bytes / amqp-publish", "theirs"),
        ],
    ),
    (
        "Receive, prefetch 100 (tasks per second)",
        [
            ("workq", "tasks, prefetch 100 / pika's worker.py", "ours"),
            ("pika", "tasks, prefetch 100 / pika's worker.py", "theirs"),
        ],
    ),
    (
        "Run cat for each task (tasks per second)",
        [
            ("workq", "  … work -- cat / amqp-consume -p 1 cat", "ours"),
            ("amqp-consume -p 1", "  … work -- cat / amqp-consume -p 1 cat", "theirs"),
        ],
    ),
]


def draw_bars(results, path):
    """workq beside the others; nothing where a figure is missing, because the run was of some rows only."""
    settings, data = {"image": path}, BUILD / "results.dat"
    with open(data, "w", encoding="utf-8") as file:
        for number, (title, bars) in enumerate(GROUPS):
            settings[f"title_{number}"] = title
            for name, what, side in bars:
                row = next((row for row in results["rows"] if row["what"].startswith(what)), {})
                if side not in row:
                    return
                color = "0x2f6f9f" if name == "workq" else "0xb0b0b0"
                unit = " ms" if row["unit"] == "ms" else ""
                file.write(f'"{name}" {row[side]:.6f} {color} "{number_of(row[side])}{unit}"\n')
            file.write("\n\n")
    plot("results", data, settings | circumstances_of(results, "* does not wait for confirms; "))


def number_of(value):
    """Three digits, at most."""
    return f"{round(value, -max(0, len(str(int(value))) - 3)):,.0f}" if value >= 20 else f"{value:.1f}"


def draw_targets(results, path):
    """The rows that have a target, by how far they are from it: to the right of 1 is better."""
    rows = [row for row in results["rows"] if row["at_most"] is not None or row["at_least"] is not None]
    if not rows:
        return
    data = BUILD / "targets.dat"
    with open(data, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(f'"{row["what"]}" {score(row):.4f} "{label(row)}"\n')
    plot("targets", data, {"image": path, "rows": len(rows)} | circumstances_of(results, f"commit {results['commit']}; "))


def circumstances_of(results, first):
    """Lines for a picture."""
    versions, machine = results["versions"], results["machine"]
    names = [(name, versions[name].split("-")[0]) for name in ("RabbitMQ", "rabbitmq-c", "pika")]
    return {
        "about": f"{first}medians of {results['rounds']} rounds, {results['date'][:10]}",
        "machine": ", ".join(f"{name} {version}" for name, version in names)
        + f"; {machine['processors']} × {machine['processor']}",
    }


def plot(script, data, settings):
    assignments = "; ".join(
        f"{name} = {value}" if isinstance(value, int) else f"{name} = \"{value}\""
        for name, value in (settings | {"data": data}).items()
    )
    subprocess.run(["gnuplot", "-e", assignments, str(HERE / f"{script}.gnuplot")], check=True)


def label(row):
    if row["verdict"] == "failed":
        return f"failed ({target(row)})"
    return f"{result(row)}  ({target(row)})"


def score(row):
    """How many times better than the target; 1 just meets it, and so stands one that has no figure."""
    if row["verdict"] == "failed":
        return 1
    value = max(row["value"], 1e-3)
    factor = row["at_most"] / value if row["at_most"] is not None else value / row["at_least"]
    return min(max(factor, 0.1), 10)
