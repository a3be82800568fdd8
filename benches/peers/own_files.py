"""The peers' five tables in DuckDB's own file and in ClickHouse's MergeTree, with and without both hashes.

    python own_files.py TABLES TARGET     prints their bytes as JSON

TABLES is what the peer DuckDB wrote. Both engines store with their defaults; ClickHouse's rows lie by receipt.
"""

import json
import sys
from pathlib import Path

import chdb
import duckdb

from check import TABLES

HASHED = "receipt"


def duck(made, path, chosen):
    """The bytes of a DuckDB file with all tables; `chosen` are the columns of the one with hashes."""
    with duckdb.connect(str(path)) as db:
        for table in TABLES:
            columns = chosen if table == HASHED else "*"
            db.execute(f"CREATE TABLE \"{table}\" AS SELECT {columns} FROM read_parquet('{made}/{table}-*.parquet')")
        db.execute("CHECKPOINT")
    return path.stat().st_size


def clickhouse(made, folder):
    """The bytes of each table's parts, and of the one with hashes once more without them (`-bare`)."""
    session = chdb.session.Session(str(folder))
    for table in TABLES:
        store(session, table, "*", f"{made}/{table}-*.parquet")
    store(session, f"{HASHED}-bare", "* EXCEPT (id1, id2)", f"{made}/{HASHED}-*.parquet")
    said = session.query("SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = "
                         "currentDatabase() GROUP BY table", "TSV")
    session.close()
    return {table: int(size) for table, size in (line.split("\t") for line in str(said).splitlines())}


def store(session, table, columns, files):
    session.query(f"CREATE TABLE `{table}` ENGINE = MergeTree ORDER BY receipt SETTINGS allow_nullable_key = 1 "
                  f"AS SELECT {columns} FROM file('{files}', Parquet)")
    session.query(f"OPTIMIZE TABLE `{table}` FINAL")


if __name__ == "__main__":
    made, target = map(Path, sys.argv[1:3])
    bare = duck(made, target / "bare.duckdb", "* EXCLUDE (id1, id2)")
    whole = duck(made, target / "whole.duckdb", "*")
    parts = clickhouse(made, target / "clickhouse")
    rest = sum(size for table, size in parts.items() if not table.startswith(HASHED))
    json.dump({"DuckDB": {"rows": bare, "rows and both hashes": whole},
               "ClickHouse (chdb)": {"rows": rest + parts[f"{HASHED}-bare"],
                                     "rows and both hashes": rest + parts[HASHED]}}, sys.stdout)
