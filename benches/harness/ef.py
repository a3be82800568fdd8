"""The EF bench: one inpatient EF file becomes Parquet with keyed hashes, by misu and by each peer in turn."""

import delivery
import ingest

EF = ingest.Job({"Python, 2 processes": "ef_python.py", "Polars": "ef_polars.py", "DuckDB": "ef_duck.py",
                 "ClickHouse (chdb)": "ef_clickhouse.py"}, "ef_check.py")


def run(quick):
    persons, months, size, repetitions = (20_000, 6, 32_000_000, 1) if quick else (60_000, 24, 400_000_000, 3)
    folder = delivery.acts(persons, months, size)
    result = ingest.turns(EF, folder, folder / delivery.EF, repetitions)
    ingest.show("one inpatient EF file", result, repetitions)
    return result
