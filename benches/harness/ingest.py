"""The ingest bench: one medical file becomes Parquet with keyed hashes, by misu and by each peer in turn."""

import json
import shutil
import statistics
from typing import NamedTuple

import delivery
import measure
import table
from places import PEERS, PYTHON, SCRATCH, empty, program


class Job(NamedTuple):
    """What one file is made into: by whom beside misu (the name in the table, the script in peers/), and who checks it."""
    peers: dict
    check: str


UKE = Job({"Python, 2 processes": "python2.py", "Polars": "polars_stream.py", "DuckDB": "duck.py",
           "ClickHouse (chdb)": "clickhouse.py"}, "check.py")


def run(quick):
    folder, repetitions = delivery.medical(quick), 1 if quick else 3
    result = turns(UKE, folder, folder / delivery.UKE, repetitions) | {"growth": grow(folder)}
    show("one medical file", result, repetitions)
    table.show("misu's peak memory by share of the file", ["share", "peak MB"],
               [[share, table.megabytes(peak)] for share, peak in result["growth"].items()])
    return result


def turns(job, folder, source, repetitions):
    """misu and each peer in turn, so often; they must agree."""
    source.read_bytes()  # every run finds the file in the page cache, the first as well
    runs = {name: [] for name in ["misu", *job.peers]}
    for _ in range(repetitions):
        for name in runs:
            runs[name].append(misu(folder) if name == "misu" else peer(job, name, source))
    agree(runs, list(job.peers))
    return {"bytes": source.stat().st_size, "runs": runs}


def peer(job, name, source):
    """One run into an empty place, with its figures."""
    target = empty(SCRATCH) / "out"
    measured = measure.run([PYTHON, PEERS / job.peers[name], source, target], SCRATCH / "log")
    shutil.rmtree(target / "session", ignore_errors=True)
    return finish(measured, target, [PYTHON, PEERS / job.check])


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


def agree(runs, peers):
    """Ends the bench unless all tables have the same rows and sums, and the peers the same identities."""
    for figure, names in {"tables": list(runs), "identities": peers}.items():
        found = {name: run["figures"][figure] for name in names for run in runs[name]}
        if any(run["figures"][figure] != found[names[0]] for name in names for run in runs[name]):
            raise SystemExit(f"the results differ in {figure}:\n{json.dumps(found, indent=1)}")


def grow(folder):
    """misu's peak memory by share of the file."""
    target = empty(SCRATCH.parent / "shares")
    growth = {str(share): misu(part)["peak"] for share, part in delivery.shares(folder, target).items()}
    shutil.rmtree(target)
    return growth


def show(what, result, repetitions):
    seconds = {name: statistics.median(run["seconds"] for run in runs) for name, runs in result["runs"].items()}
    worked = {name: statistics.median(run["processor"] for run in runs) for name, runs in result["runs"].items()}
    rows = []
    for name, runs in result["runs"].items():
        peak, written = max(run["peak"] for run in runs), runs[0]["written"]
        rows.append([name, f"{seconds[name]:.2f}", f"{result['bytes'] / 1e6 / seconds[name]:.0f}",
                     f"{seconds[name] / seconds['misu']:.2f}", f"{worked[name]:.2f}",
                     f"{worked[name] / worked['misu']:.2f}", table.megabytes(peak), table.megabytes(written)])
    table.show(f"Ingest: {what} of {table.megabytes(result['bytes'])} MB, median of {repetitions}",
               ["", "seconds", "MB/s", "seconds ÷ misu", "processor", "processor ÷ misu", "peak MB", "written MB"], rows)
