"""What comes out: a table to read, results.json to compare with, results.svg to look at."""

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
    draw(results, directory / "results.svg")


def draw(results, path):
    """The rows that have a target, by how far they are from it: to the right of 1 is better."""
    rows = [row for row in results["rows"] if row["at_most"] is not None or row["at_least"] is not None]
    if not rows:
        return
    data = BUILD / "results.dat"
    with open(data, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(f'"{row["what"]}" {score(row):.4f} "{label(row)}"\n')
    versions, machine = results["versions"], results["machine"]
    settings = {
        "data": data,
        "image": path,
        "rows": len(rows),
        "about": f"commit {results['commit']} of {results['date'][:10]}, {results['rounds']} rounds; "
        f"RabbitMQ {versions['RabbitMQ']}, rabbitmq-c {versions['rabbitmq-c']}, pika {versions['pika']}",
        "machine": f"{machine['processors']} × {machine['processor']}, {machine['kernel']}",
    }
    assignments = "; ".join(
        f"{name} = {value}" if isinstance(value, int) else f"{name} = '{value}'"
        for name, value in settings.items()
    )
    subprocess.run(["gnuplot", "-e", assignments, str(HERE / "results.gnuplot")], check=True)


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
