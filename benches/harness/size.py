"""Size: what each line of the medical file takes once it is published, beside the peers' tables in their own files."""

import json
import shutil
import tomllib

import delivery
import measure
import table
from places import PEERS, PYTHON, SCRATCH, empty, program

# The tables that the peers have as well, with fewer columns.
COMPARED = ("ndb_receipt", "ndb_diagnosis", "ndb_procedure", "ndb_drug", "ndb_comment")
AIM = 11.6


def run(quick):
    folder = delivery.medical(quick)
    source = folder / delivery.UKE
    found = {"bytes": source.stat().st_size, "lines": lines(source), "misu": published(folder), "own": own(source)}
    show(found)
    return found


def lines(source):
    with open(source, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))


def published(folder):
    """Bytes and rows of each published table, whether a line of the file becomes a row of it, and the bytes of keys."""
    env = empty(SCRATCH) / "env"
    measure.quiet([program("misu"), "init", env])
    for step in (["ingest", folder], ["link"], ["publish"]):
        measure.quiet([program("misu-ingest"), *step, "--env", env])
    manifest = json.loads(max((env / "store/snapshots").glob("*.json")).read_text())
    catalogue = [tomllib.loads(path.read_text()) for path in (env / "catalog/tables").rglob("*.toml")]
    fed = {each["table"] for each in catalogue if any(feed["row"] != "person" for feed in each.get("feed", []))}
    tables = {name: {"rows": each["rows"], "bytes": sum(file["bytes"] for file in each["files"]), "is_fact": name in fed}
              for name, each in manifest["body"]["tables"].items() if each["rows"]}
    found = {"tables": tables, "keys": measure.size(env / "links")}
    shutil.rmtree(env)
    return found


def own(source):
    """Bytes of the peers' tables in DuckDB's own file and in ClickHouse's, with and without both hashes."""
    made, target = empty(SCRATCH) / "out", SCRATCH / "own"
    measure.quiet([PYTHON, PEERS / "duck.py", source, made])
    target.mkdir()
    found = json.loads(measure.quiet([PYTHON, PEERS / "own_files.py", made, target]))
    empty(SCRATCH)
    return found


def show(found):
    tables, keys = found["misu"]["tables"], found["misu"]["keys"]
    total = lambda wanted: sum(each["bytes"] for name, each in tables.items() if wanted(name, each))
    facts, others = total(lambda _, each: each["is_fact"]), total(lambda _, each: not each["is_fact"])
    each = lambda size: f"{size / found['lines']:.2f}"
    row = lambda name, size: [name, table.megabytes(size), each(size)]
    rows = [row("the file", found["bytes"]),
            row("misu: tables of lines", facts),
            row("  of these the peers' five", total(lambda name, _: name in COMPARED)),
            row("misu: tables made of them", others),
            row("misu: keys and links", keys),
            row("misu: all", facts + others + keys)]
    rows += [row(f"{peer}: {what}", size) for peer, sizes in found["own"].items() for what, size in sizes.items()]
    table.show(f"Published: {found['lines']:,} lines; the aim is {AIM} bytes a line", ["", "MB", "bytes a line"], rows)
    table.show("misu's published tables", ["", "rows", "MB", "bytes a row", "bytes a line"],
               [[name, f"{one['rows']:,}", table.megabytes(one["bytes"]), f"{one['bytes'] / one['rows']:.2f}",
                 each(one["bytes"])] for name, one in sorted(tables.items(), key=lambda item: -item[1]["bytes"])])
