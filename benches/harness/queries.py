"""The query bench: the demo's questions through the guard and in plain DataFusion, over demo environments."""

import json
import statistics

import measure
import table
from places import cached, program


def run(quick):
    sizes = [(20_000, 24, 3)] if quick else [(20_000, 24, 7), (100_000, 24, 7)]
    return [one(*size) for size in sizes]


def one(persons, months, repetitions):
    folder = cached(f"demo-{persons}-persons-{months}-months", "misu-ingest",
                    lambda folder: demo(folder, persons, months))
    asked = [program("misu-bench-queries"), "--env", folder / "demo" / "env", "--repetitions", repetitions]
    result = json.loads(measure.quiet(asked))
    show(result, repetitions)
    return result


def demo(folder, persons, months):
    measure.quiet([program("misu"), "demo", "--no-serve", "--persons", persons, "--months", months, "--dir",
                   folder / "demo"])


def show(result, repetitions):
    sides = ("protected", "vetting", "plain")
    medians = [{side: statistics.median(of[side]) for side in sides} for of in result["questions"]]
    total = {side: sum(median[side] for median in medians) for side in sides}
    rows = []
    for name, median in [*((of["question"], median) for of, median in zip(result["questions"], medians)),
                         ("all", total)]:
        name = name if len(name) <= 56 else f"{name[:55]}…"
        rows.append([name, *(f"{1000 * median[side]:.1f}" for side in sides),
                     f"{median['protected'] / median['plain']:.2f}"])
    table.show(f"Queries: {result['persons']:,} persons, {table.megabytes(result['bytes'])} MB of Parquet in "
               f"{result['buckets']} buckets, median of {repetitions}, ms",
               ["", "protected", "of it vetting", "plain", "protected ÷ plain"], rows)
