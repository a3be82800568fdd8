"""What a peer's ingest wrote, as figures that must be equal for all: rows, sums of points, points by receipt.

`points_by_receipt` sums points times the number of the receipt, so that a line given to a wrong receipt shows. What misu
wrote lies encrypted; `pseudonymizer/examples/staged_figures.rs` prints the same figures of it. Identities are counted for
the peers only: misu keeps them apart from the rows, in normal form and by part.
"""

import json
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

TABLES = ("receipt", "diagnosis", "procedure", "drug", "comment")
POINTS = {"receipt": "total_points", "procedure": "points", "drug": "points"}


def peer(folder):
    """Each table's columns, once for each of its files."""
    for table in TABLES:
        for path in sorted(folder.glob(f"{table}-*.parquet")):
            columns = ["receipt", *([POINTS[table]] if table in POINTS else [])]
            rows = pq.read_table(path, columns=columns)
            yield table, rows["receipt"], rows[POINTS[table]] if table in POINTS else None


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
    json.dump({"tables": figures(peer(folder)), "identities": identities(folder)}, sys.stdout)
