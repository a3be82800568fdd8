"""What an ingest wrote, as figures that must be equal for all: rows, sums of points, points by receipt.

`points_by_receipt` sums points times the number of the receipt, so that a line given to a wrong receipt shows. Identities
are counted for the peers only: misu keeps them apart from the rows, in normal form and by part.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OURS = {"receipt": "ndb_receipt", "diagnosis": "ndb_diagnosis", "procedure": "ndb_procedure", "drug": "ndb_drug",
        "comment": "ndb_comment"}
POINTS = {"receipt": "total_points", "procedure": "points", "drug": "points"}


def peer(folder):
    """Each table's columns, once for each of its files."""
    for table in OURS:
        for path in sorted(folder.glob(f"{table}-*.parquet")):
            columns = ["receipt", *([POINTS[table]] if table in POINTS else [])]
            rows = pq.read_table(path, columns=columns)
            yield table, rows["receipt"], rows[POINTS[table]] if table in POINTS else None


def ours(environment):
    """The same of staged rows, whose claims are numbered within each part and stand apart, each with its number of rows."""
    before = 0
    for part in sorted(environment.glob("store/staging/*/*/")):
        for table, name in OURS.items():
            path = part / f"{name}.parquet"
            if path.exists():
                heads = pq.read_table(part / f"{name}.heads.parquet", columns=["__record", "__rows"])
                receipts = np.repeat(heads["__record"].to_numpy().astype("int64"), heads["__rows"].to_numpy())
                receipts = pa.chunked_array([pa.array(receipts + before + 1)])
                rows = pq.read_table(path, columns=["__line", *([POINTS[table]] if table in POINTS else [])])
                yield table, receipts, rows[POINTS[table]] if table in POINTS else None
        before += pq.read_metadata(part / "claims.parquet").num_rows


def figures(tables):
    found = {}
    for table, receipts, points in tables:
        of_table = found.setdefault(table, {"rows": 0, **({"points": 0, "points_by_receipt": 0} if points else {})})
        of_table["rows"] += len(receipts)
        if points is not None:
            points = pc.fill_null(points.cast("int64"), 0)
            of_table["points"] += pc.sum(points).as_py() or 0
            of_table["points_by_receipt"] += pc.sum(pc.multiply(points, receipts.cast("int64"))).as_py() or 0
    return found


def identities(folder):
    rows = [pq.read_table(path, columns=["id1", "id2"]) for path in sorted(folder.glob("receipt-*.parquet"))]
    return {name: len(set().union(*(row[name].unique().to_pylist() for row in rows))) for name in ("id1", "id2")}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    is_ours = (folder / "misu.toml").exists()
    found = figures(ours(folder) if is_ours else peer(folder))
    json.dump({"tables": found, "identities": None if is_ours else identities(folder)}, sys.stdout)
