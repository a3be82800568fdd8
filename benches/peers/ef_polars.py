"""Peer of the EF bench: Polars, lazily through its streaming engine; iconv goes first, and Python's hmac for the hashes.

Its CSV reader pads short lines, so the number of fields is checked in a pass of its own over whole lines.
"""

import hmac
import os

from ef_job import ACT, ADMISSION, DATA_ID, DISCHARGE, FACILITY, FIELDS
from job import KEY, THREADS, arguments, to_utf8

os.environ["POLARS_MAX_THREADS"] = str(THREADS)
import polars as pl  # noqa: E402  it reads the number of threads when it is imported

KINDS = {int: pl.Int32, float: pl.Float64, str: pl.String}


def text(at):
    return pl.when(pl.col(f"f{at}") != "").then(pl.col(f"f{at}"))


def hashed(table, name, fields):
    """Adds the keyed hash of some fields."""
    message = pl.concat_str([pl.col(field) for field in fields], separator="|").alias("message")
    table = table.with_columns(message)
    known = table["message"].unique()
    tags = pl.Series(name, [hmac.digest(KEY, text.encode(), "sha256") for text in known], dtype=pl.Binary)
    return table.join(pl.DataFrame([known, tags]), on="message", how="left", maintain_order="left").drop("message")


def save(table, name):
    table.sink_parquet(target / f"{name}-1.parquet", compression="zstd", compression_level=1, engine="streaming")


source, target = arguments()
lines = to_utf8(source, target / "lines.tsv")
tabs = pl.col("line").str.count_matches("\t", literal=True)
if not pl.scan_lines(lines, name="line").select((tabs == FIELDS - 1).all()).collect(engine="streaming").item():
    raise SystemExit("a line with another number of fields")
key = [f"f{at}" for at in (FACILITY, DATA_ID, ADMISSION)]
is_new = pl.any_horizontal(pl.col(field) != pl.col(field).shift(1) for field in key).fill_null(True)
used = sorted({FACILITY, DATA_ID, DISCHARGE, ADMISSION, *(at for at, _ in ACT.values())})
records = pl.scan_csv(lines, has_header=False, schema={f"f{at}": pl.String for at in range(FIELDS)}, separator="\t",
                      quote_char=None, empty_string_is_null=False, row_index_name="line", row_index_offset=1)
records = records.select("line", *(f"f{at}" for at in used), is_new.alias("is_new")).with_columns(
    pl.col("is_new").cum_sum().cast(pl.Int32).alias("stay"), pl.col("line").cast(pl.Int32)).collect(engine="streaming")
stays = records.lazy().filter("is_new").select("stay", *key, text(DISCHARGE).cast(pl.Int32).alias("discharge_date"),
                                               text(ADMISSION).cast(pl.Int32).alias("admission_date")).collect()
stays = hashed(hashed(stays, "id", key[:2]), "key", key).drop(key)
save(stays.lazy(), "stay")
fields = (text(at).cast(KINDS[kind]).alias(name) for name, (at, kind) in ACT.items())
save(records.lazy().select("stay", "line", *fields), "act")
lines.unlink()
