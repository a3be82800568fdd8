"""The ingest bench: one medical file becomes Parquet with keyed hashes, by misu and by each peer in turn."""

import json
import shutil
import statistics

import delivery
import measure
import table
from places import PEERS, PYTHON, SCRATCH, empty, program

# The name in the table, the script in peers/.
OTHERS = {"Python, 2 processes": "python2.py", "Polars": "polars_stream.py", "DuckDB": "duck.py",
          "ClickHouse (chdb)": "clickhouse.py"}


def run(quick):
    persons, months, size, repetitions = (20_000, 12, 64_000_000, 1) if quick else (100_000, 34, 1_000_000_000, 3)
    folder = delivery.delivery(persons, months, size)
    source = folder / "RECEIPTC_1.UKE"
    source.read_bytes()  # every run finds the file in the page cache, the first as well
    runs = {name: [] for name in ["misu", *OTHERS]}
    for _ in range(repetitions):
        for name in runs:
            runs[name].append(once(name, folder, source))
    agree(runs)
    growth = grow(folder)
    result = {"bytes": source.stat().st_size, "runs": runs, "growth": growth}
    show(result, repetitions)
    return result


def once(name, folder, source):
    """One run into an empty place, with its figures."""
    if name == "misu":
        return misu(folder)
    target = empty(SCRATCH) / "out"
    measured = measure.run([PYTHON, PEERS / OTHERS[name], source, target], SCRATCH / "log")
    shutil.rmtree(target / "session", ignore_errors=True)
    return finish(measured, target, [PYTHON, PEERS / "check.py"])


def misu(folder):
    target = empty(SCRATCH) / "env"
    measure.quiet([program("misu"), "init", target])
    measured = measure.run([program("misu-ingest"), "ingest", folder, "--env", target, "--json"], SCRATCH / "log")
    said = (SCRATCH / "log").read_text()
    account = json.loads(said[said.index("["):])[0]
    if account["quarantined"]:
        raise SystemExit(f"misu put {account['quarantined']} lines in quarantine, the file should have no fault")
    return finish(measured, target, [program("examples/staged_figures")])


def finish(measured, target, check):
    figures = json.loads(measure.quiet([*check, target]))
    measured |= {"written": measure.size(target), "figures": figures}
    shutil.rmtree(target)
    return measured


def agree(runs):
    """Ends the bench unless all tables have the same rows and sums, and the peers the same identities."""
    for figure, names in {"tables": list(runs), "identities": list(OTHERS)}.items():
        found = {name: run["figures"][figure] for name in names for run in runs[name]}
        if any(run["figures"][figure] != found[names[0]] for name in names for run in runs[name]):
            raise SystemExit(f"the results differ in {figure}:\n{json.dumps(found, indent=1)}")


def grow(folder):
    """misu's peak memory by share of the file."""
    target = empty(SCRATCH.parent / "shares")
    growth = {str(share): misu(part)["peak"] for share, part in delivery.shares(folder, target).items()}
    shutil.rmtree(target)
    return growth


def show(result, repetitions):
    seconds = {name: statistics.median(run["seconds"] for run in runs) for name, runs in result["runs"].items()}
    rows = []
    for name, runs in result["runs"].items():
        peak, written = max(run["peak"] for run in runs), runs[0]["written"]
        rows.append([name, f"{seconds[name]:.2f}", f"{result['bytes'] / 1e6 / seconds[name]:.0f}",
                     f"{seconds[name] / seconds['misu']:.2f}", table.megabytes(peak), table.megabytes(written)])
    table.show(f"Ingest: one medical file of {table.megabytes(result['bytes'])} MB, median of {repetitions}",
               ["", "seconds", "MB/s", "seconds ÷ misu", "peak MB", "written MB"], rows)
    table.show("misu's peak memory by share of the file", ["share", "peak MB"],
               [[share, table.megabytes(peak)] for share, peak in result["growth"].items()])
