"""What a peer made of the EF file, as figures that must be equal for all: rows, sums of points, points by line.

`points_by_line` sums points times the number of the line, so that a value given to a wrong line shows. Stays and
identities are counted for the peers only: misu cuts a file anywhere, and a stay that is cut is one again at publish.
"""

import json
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq


def read(folder, table, columns):
    return [pq.read_table(path, columns=columns) for path in sorted(folder.glob(f"{table}-*.parquet"))]


def acts(folder):
    found = {"rows": 0, "points": 0, "points_by_line": 0}
    for rows in read(folder, "act", ["line", "act_points"]):
        points = pc.fill_null(rows["act_points"].cast("int64"), 0)
        found["rows"] += len(rows)
        found["points"] += pc.sum(points).as_py() or 0
        found["points_by_line"] += pc.sum(pc.multiply(points, rows["line"].cast("int64"))).as_py() or 0
    return found


def identities(folder):
    stays = read(folder, "stay", ["stay", "id", "key"])
    distinct = {name: len(set().union(*(rows[name].unique().to_pylist() for rows in stays))) for name in ("id", "key")}
    return {"stays": sum(map(len, stays)), **distinct}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    json.dump({"tables": {"act": acts(folder)}, "identities": identities(folder)}, sys.stdout)
