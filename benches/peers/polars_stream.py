"""Peer: Polars, lazily through its streaming engine.

It cannot read CP932, so iconv goes first. It has no HMAC either: the identities are made distinct, hashed with Python's
hmac and joined back. Its CSV reader splits the lines and pads short records with empty strings, so the number of fields
is checked in a pass of its own over whole lines.
"""

import hmac
import os

from job import COLUMNS, INSURER, KEY, RECEIPT, THREADS, arguments, to_utf8

os.environ["POLARS_MAX_THREADS"] = str(THREADS)
import polars as pl  # noqa: E402  it reads the number of threads when it is imported

WIDEST = 48


def text(at):
    return pl.when(pl.col(f"f{at}") != "").then(pl.col(f"f{at}"))


def number(at, kind=pl.Int32):
    return text(at).cast(kind)


def hashed(receipts, name, fields):
    """Adds the keyed hash of some fields."""
    message = pl.concat_str([pl.col(field).fill_null("") for field in fields], separator="|").alias("message")
    receipts = receipts.with_columns(message)
    known = receipts["message"].unique()
    tags = pl.Series(name, [hmac.digest(KEY, text.encode(), "sha256") for text in known], dtype=pl.Binary)
    return receipts.join(pl.DataFrame([known, tags]), on="message", how="left").drop("message", *fields[:-2])


def save(table, name):
    table.sink_parquet(target / f"{name}-1.parquet", compression="zstd", compression_level=1, engine="streaming")


source, target = arguments()
lines = to_utf8(source, target / "lines.csv", heading=",".join(f"f{at}" for at in range(WIDEST)))
tag, commas = pl.col("line").str.head(2), pl.col("line").str.count_matches(",", literal=True)
wanted = tag.replace_strict({tag: columns - 1 for tag, columns in COLUMNS.items()}, return_dtype=pl.UInt32)
known = pl.scan_lines(lines, name="line").filter(tag.is_in(list(COLUMNS)))
if not known.select((commas == wanted).all()).collect(engine="streaming").item():
    raise SystemExit("a line with another number of fields")
used = sorted({0, 1, 2, 3, 4, 5, 6, *RECEIPT.values(), *INSURER.values()})
is_receipt = pl.col("f0") == "RE"
records = pl.scan_csv(lines, schema={f"f{at}": pl.String for at in range(WIDEST)}, quote_char=None,
                      empty_string_is_null=False)
records = records.filter(pl.col("f0").is_in(list(COLUMNS))).select(
    *(f"f{at}" for at in used),
    is_receipt.cum_sum().cast(pl.Int32).alias("receipt"),
    pl.when(is_receipt).then(pl.col("f3")).forward_fill().cast(pl.Int32).alias("service_month"),
).collect(engine="streaming")


def of(tag, *columns):
    return records.lazy().filter(pl.col("f0") == tag).select("receipt", "service_month", *columns)


insurer = of("HO", *(text(INSURER[name]).alias(name) for name in ("insurer", "symbol", "number")),
             *(number(INSURER[name]).alias(name) for name in ("service_days", "total_points", "copay_amount",
                                                              "meal_amount"))).drop("service_month")
receipts = of("RE", text(RECEIPT["receipt_type"]).alias("receipt_type"),
              number(RECEIPT["admission_date"]).alias("admission_date"),
              *(text(RECEIPT[name]).alias(name) for name in ("name", "birth", "sex")))
receipts = receipts.join(insurer, on="receipt", how="left").collect(engine="streaming")
receipts = hashed(receipts, "id1", ["insurer", "symbol", "number", "birth", "sex"])
receipts = hashed(receipts, "id2", ["name", "birth", "sex"]).drop("birth", "sex")
save(receipts.lazy(), "receipt")
item = (text(1).alias("service_class"), text(3).alias("code"), number(4, pl.Float64).alias("quantity"),
        number(5).alias("points"), number(6).alias("times"))
save(of("SY", text(1).alias("disease_code"), number(2).alias("start_date"), text(3).alias("outcome"),
        text(4).alias("modifier_codes"), text(6).alias("main_disease")), "diagnosis")
save(of("SI", *item), "procedure")
save(of("IY", *item), "drug")
save(of("CO", text(1).alias("service_class"), text(3).alias("code")), "comment")
lines.unlink()
