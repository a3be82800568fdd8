"""What the peers of the ten-query bench share: the data, the clock, and what each answer must add up to."""

import json
import os
import sys
import time
from pathlib import Path

THREADS = 2
FOLDER, REPETITIONS = Path(sys.argv[1]), int(sys.argv[2])
QUESTIONS = sorted((Path(__file__).resolve().parent.parent / "ten").glob("*.sql"))
# Before a library that reads it is imported.
os.environ["POLARS_MAX_THREADS"] = str(THREADS)


def tables():
    """The Parquet files of each table."""
    listed = json.loads((FOLDER / "tables.json").read_text())
    return {table: [str(FOLDER / path) for path in paths] for table, paths in listed.items()}


def run(ask):
    """Asks each question once without measuring and then in turn; `ask(path)` gives rows as dictionaries."""
    found = []
    for path in QUESTIONS:
        rows = ask(path)
        seconds = []
        for _ in range(REPETITIONS):
            begun = time.monotonic()
            ask(path)
            seconds.append(time.monotonic() - begun)
        persons = sum(row["persons"] or 0 for row in rows)
        found.append({"question": path.stem, "rows": len(rows), "persons": persons, "seconds": seconds})
    json.dump(found, sys.stdout)
