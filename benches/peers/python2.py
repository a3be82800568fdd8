"""Peer: plain Python on two processes, with hmac from the standard library and pyarrow for the columns.

Written for speed within reason: lines stay bytes, a line is cut only as far as it is needed, numbers are parsed by
Arrow in batches, and the hashes of an identity that was seen before are not computed again.
"""

import hmac
import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from halves import read_both
from job import COLUMNS, KEY, arguments

BATCH = 100_000
TEXT, INT, REAL, HASH = pa.string(), pa.int32(), pa.float64(), pa.binary(32)
ITEM = [("receipt", INT), ("service_month", INT), ("service_class", TEXT), ("code", TEXT), ("quantity", REAL),
        ("points", INT), ("times", INT)]
TABLES = {
    "receipt": [("receipt", INT), ("service_month", INT), ("receipt_type", TEXT), ("admission_date", INT),
                ("service_days", INT), ("total_points", INT), ("copay_amount", INT), ("meal_amount", INT),
                ("id1", HASH), ("id2", HASH)],
    "diagnosis": [("receipt", INT), ("service_month", INT), ("disease_code", TEXT), ("start_date", INT),
                  ("outcome", TEXT), ("modifier_codes", TEXT), ("main_disease", TEXT)],
    "procedure": ITEM,
    "drug": ITEM,
    "comment": [("receipt", INT), ("service_month", INT), ("service_class", TEXT), ("code", TEXT)],
}
COMMAS = {tag.encode(): columns - 1 for tag, columns in COLUMNS.items()}


class Table:
    """Rows of one table on their way into one Parquet file."""

    def __init__(self, path, columns):
        self.columns, self.rows = columns, []
        self.writer = pq.ParquetWriter(path, pa.schema(columns), compression="zstd", compression_level=1)

    def add(self, row):
        self.rows.append(row)
        if len(self.rows) == BATCH:
            self.flush()

    def flush(self):
        if self.rows:
            arrays = [column(values, kind) for values, (_, kind) in zip(zip(*self.rows), self.columns)]
            self.writer.write_batch(pa.record_batch(arrays, schema=self.writer.schema))
            self.rows.clear()

    def close(self):
        self.flush()
        self.writer.close()


def column(values, kind):
    """Fields as they stand (bytes) become a column; an empty one is null."""
    if kind == HASH or isinstance(values[0], int):
        return pa.array(values, kind)
    texts = pa.array(values, TEXT)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, TEXT), texts).cast(kind)


def tag(message):
    return hmac.digest(KEY, message.encode(), "sha256")


def hashes(identity, known):
    """id1 and id2 of the raw fields of RE and HO."""
    found = known.get(identity)
    if found is None:
        name, sex, birth, insurer, symbol, number = (field.decode("cp932") for field in identity)
        found = known[identity] = (tag("|".join((insurer, symbol, number, birth, sex))),
                                   tag("|".join((name, birth, sex))))
    return found


def read(source, begin, end, receipt, target, suffix):
    """Reads the lines from `begin` to `end` into one file for each table."""
    tables = {name: Table(target / f"{name}-{suffix}.parquet", columns) for name, columns in TABLES.items()}
    diagnosis, procedure, drug, comment = (tables[name].add for name in ("diagnosis", "procedure", "drug", "comment"))
    known, opened, month = {}, None, b""

    def settle(opened, insurer):
        _, _, kind, month, name, sex, birth, _, admission = opened[:9]
        _, number, symbol, insured, days, points, _, _, meal, _, _, copay = insurer[:12]
        ids = hashes((name, sex, birth, number, symbol, insured), known)
        tables["receipt"].add((receipt, month, kind, admission, days, points, copay, meal, *ids))

    with open(source, "rb", buffering=1 << 20) as file:
        file.seek(begin)
        at = begin
        for line in file:
            if at >= end:
                break
            at += len(line)
            line = line.rstrip(b"\r\n")
            record = line[:2]
            if record in COMMAS and line.count(b",") != COMMAS[record]:
                raise SystemExit(f"a line of {record} with another number of fields at {at}")
            if record == b"SI":
                fields = line.split(b",", 7)
                procedure((receipt, month, fields[1], *fields[3:7]))
            elif record == b"IY":
                fields = line.split(b",", 7)
                drug((receipt, month, fields[1], *fields[3:7]))
            elif record == b"SY":
                fields = line.split(b",")
                diagnosis((receipt, month, *fields[1:5], fields[6]))
            elif record == b"CO":
                fields = line.split(b",", 4)
                comment((receipt, month, fields[1], fields[3]))
            elif record == b"RE":
                if opened:
                    settle(opened, [b""] * 12)
                opened = line.split(b",", 9)
                receipt += 1
                month = opened[3]
            elif record == b"HO" and opened:
                settle(opened, line.split(b",", 12))
                opened = None
    if opened:
        settle(opened, [b""] * 12)
    for table in tables.values():
        table.close()


def middle(source):
    """Where the second half's first receipt begins, and how many receipts lie before it."""
    with open(source, "rb") as file:
        file.seek(os.path.getsize(source) // 2)
        file.readline()
        at = file.tell()
        while (line := file.readline()) and not line.startswith(b"RE,"):
            at += len(line)
        file.seek(0)
        count, carried, left = 0, b"\n", at
        while left and (block := file.read(min(left, 1 << 22))):
            left -= len(block)
            count += (carried + block).count(b"\nRE,")
            carried = block[-3:]
    return at, count


if __name__ == "__main__":
    source, target = arguments()
    cut, before = middle(source)
    read_both(read, [(source, 0, cut, 0, target, 1), (source, cut, os.path.getsize(source), before, target, 2)])
