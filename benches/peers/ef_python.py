"""Peer of the EF bench: plain Python on two processes, with hmac from the standard library and pyarrow for the columns.

Arrow's own CSV reader splits the lines and makes the columns, which is the fastest that a Python user has; Python finds
where stays begin and hashes each once.
"""

import hmac
import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from ef_job import ACT, ADMISSION, DATA_ID, DISCHARGE, FACILITY, FIELDS
from halves import read_both
from job import KEY, arguments

BLOCK = 1 << 24
KINDS = {int: pa.int32(), float: pa.float64(), str: pa.string()}
NAMES = [f"f{at}" for at in range(FIELDS)]
STAY = pa.schema([("stay", pa.int32()), ("admission_date", pa.int32()), ("discharge_date", pa.int32()),
                  ("id", pa.binary(32)), ("key", pa.binary(32))])


def tag(*fields):
    return hmac.digest(KEY, "|".join(fields).encode(), "sha256")


def blocks(file, end):
    """Whole lines of about a block, from where the file stands."""
    while (left := end - file.tell()) > 0:
        block = file.read(min(left, BLOCK))
        yield block + (file.readline() if block[-1:] != b"\n" else b"")


def columns(block):
    """The lines of a block as columns of text; another number of fields ends the job."""
    kinds = {name: pa.string() for name in NAMES}
    reading = csv.ReadOptions(column_names=NAMES, encoding="cp932", use_threads=False, block_size=1 << 30)
    parsing = csv.ParseOptions(delimiter="\t", quote_char=False)
    return csv.read_csv(pa.BufferReader(block), reading, parsing,
                        csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""]))


def begun(rows, before):
    """Where stays begin, and the key of the last line."""
    keys = [rows[f"f{at}"].combine_chunks() for at in (FACILITY, DATA_ID, ADMISSION)]
    first = [before != tuple(key[0].as_py() for key in keys)]
    same = None
    for key in keys:
        equal = pc.equal(key[1:], key[:-1])
        same = equal if same is None else pc.and_(same, equal)
    return pa.array(first + pc.invert(same).to_pylist()), tuple(key[-1].as_py() for key in keys)


def read(source, begin, end, stay, line, before, target, suffix):
    """Reads the lines from `begin` to `end` into one file for each table."""
    act = pa.schema([("stay", pa.int32()), ("line", pa.int32()), *((name, KINDS[kind]) for name, (_, kind) in ACT.items())])
    made = {"compression": "zstd", "compression_level": 1}
    stays = pq.ParquetWriter(target / f"stay-{suffix}.parquet", STAY, **made)
    acts = pq.ParquetWriter(target / f"act-{suffix}.parquet", act, **made)
    with open(source, "rb") as file:
        file.seek(begin)
        for block in blocks(file, end):
            rows = columns(block)
            is_new, before = begun(rows, before)
            numbers = pc.add(pc.cumulative_sum(is_new.cast(pa.int32())), stay)
            stay = numbers[-1].as_py()
            whose = [rows[f"f{at}"].filter(is_new).to_pylist() for at in (FACILITY, DATA_ID, ADMISSION)]
            hashes = [[tag(*fields[:2]), tag(*fields)] for fields in zip(*whose)]
            ids, keys = zip(*hashes) if hashes else ((), ())
            stays.write_batch(pa.record_batch([
                numbers.filter(is_new), rows[f"f{ADMISSION}"].filter(is_new).combine_chunks().cast(pa.int32()),
                rows[f"f{DISCHARGE}"].filter(is_new).combine_chunks().cast(pa.int32()),
                pa.array(ids, pa.binary(32)), pa.array(keys, pa.binary(32))], schema=STAY))
            lines = pa.array(range(line, line + len(rows)), pa.int32())
            line += len(rows)
            values = [rows[f"f{at}"].combine_chunks().cast(KINDS[kind]) for at, kind in ACT.values()]
            acts.write_batch(pa.record_batch([numbers, lines, *values], schema=act))
    stays.close()
    acts.close()


def middle(source):
    """Where the second half's first stay begins, and how many stays and lines lie before it."""
    key = lambda line: tuple(line.split(b"\t", 4)[at] for at in (FACILITY, DATA_ID, ADMISSION))
    with open(source, "rb") as file:
        half, at, stays, lines, last = os.path.getsize(source) // 2, 0, 0, 0, None
        for line in file:
            found = key(line)
            if found != last:
                if at >= half:
                    break
                stays, last = stays + 1, found
            at += len(line)
            lines += 1
    return at, stays, lines


if __name__ == "__main__":
    source, target = arguments()
    cut, stays, lines = middle(source)
    size = os.path.getsize(source)
    read_both(read, [(source, 0, cut, 0, 1, None, target, 1), (source, cut, size, stays, lines + 1, None, target, 2)])
