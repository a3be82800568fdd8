"""The ten-query bench: ten questions of research through the guard, in plain DataFusion, DuckDB and Polars."""

import json
import shutil
import statistics
import sys

import measure
import table
from places import PEERS, PYTHON, SCRATCH, cached, empty, program
from queries import demo

SIDES = ("misu", "DataFusion", "as delivered", "DuckDB", "Polars")


def run(quick):
    persons, months, repetitions = (2_000, 12, 1) if quick else (140_000, 24, 5)
    data = cached(f"demo-{persons}-persons-{months}-months", "misu-ingest", lambda to: demo(to, persons, months))
    folder = empty(SCRATCH / "ten")
    asked = [program("misu-bench-queries"), "--env", environment(data / "demo" / "env"), "--repetitions", repetitions,
             "--questions", PEERS.parent / "ten", "--lay", folder]
    result = json.loads(measure.quiet(asked))
    peers = {name: json.loads(measure.quiet([PYTHON, PEERS / f"ten_{script}.py", folder, repetitions]))
             for name, script in (("DuckDB", "duck"), ("Polars", "polars"))}
    empty(folder)
    empty(SCRATCH / "ten-env")
    agree(result["questions"], peers)
    result["peers"] = peers
    show(result, peers, repetitions)
    return result


def environment(env):
    """A copy, so that each run begins with the same ledger. Answers are told at once: waiting for the end of a step of
    time, 10 ms on average, is no work."""
    own = empty(SCRATCH / "ten-env") / "env"
    shutil.copytree(env, own, symlinks=True)
    with open(own / "misu.toml", "a") as config:
        config.write("\n[turns]\nstep_ms = 0\n")
    return own


def agree(questions, peers):
    """There is no result unless the distinct persons of all groups add up to the same number everywhere."""
    for at, question in enumerate(questions):
        for name, found in peers.items():
            if found[at]["persons"] != question["persons"]:
                sys.exit(f"{question['question']}: {name} counts {found[at]['persons']}, "
                         f"DataFusion {question['persons']}")


def show(result, peers, repetitions):
    rows, totals = [], [0.0] * len(SIDES)
    for at, question in enumerate(result["questions"]):
        sides = [question["protected"], question["plain"], question["delivered"], *(found[at]["seconds"] for found in peers.values())]
        medians = [1000 * statistics.median(side) for side in sides]
        totals = [total + median for total, median in zip(totals, medians)]
        rows.append([question["question"], *(f"{median:.1f}" for median in medians),
                     *(f"{medians[0] / median:.2f}" for median in medians[1:3])])
    rows.append(["all", *(f"{total:.1f}" for total in totals),
                 *(f"{totals[0] / total:.2f}" for total in totals[1:3])])
    table.show(f"Ten questions: {result['rows']:,} rows, {result['persons']:,} persons, "
               f"{table.megabytes(result['bytes'])} MB of Parquet, median of {repetitions}, ms",
               ["", *SIDES, "misu ÷ DataFusion", "misu ÷ as delivered"], rows)
    stored, clear = (statistics.median(result["scan"][side]) for side in ("stored", "clear"))
    print(f"\nReading and adding up {result['scan']['rows']:,} rows: stored {1000 * stored:.0f} ms, "
          f"in clear {1000 * clear:.0f} ms, {stored / clear:.2f}")
