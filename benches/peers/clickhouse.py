"""Peer: ClickHouse, in this process through chdb.

It reads CP932 (as ICU's cp943) and has HMAC. Its CSV reader cannot tell a missing field from an empty one, so lines are
read whole; their commas are counted and they are split only as far as they are needed.
"""

import chdb

from job import COLUMNS, INSURER, KEY, RECEIPT, THREADS, arguments

source, target = arguments()
session = chdb.session.Session(str(target / "session"))
session.query(f"SET max_threads = {THREADS}")


def field(at, of="f"):
    return f"{of}[{at + 1}]"


def number(at, kind="Int32", of="f"):
    return f"to{kind}OrNull({field(at, of)})"


def text(at):
    return f"nullIf({field(at)}, '')"


def decoded(*fields):
    return f"convertCharset(concat({', '.join(fields)}), 'cp943', 'UTF-8')"


def joined(*fields):
    return [part for field in fields for part in (field, "'|'")][:-1]


counts = ", ".join(f"tag = '{tag}', {columns - 1}" for tag, columns in COLUMNS.items())
tags = ", ".join(f"'{tag}'" for tag in COLUMNS)
# The number of a line's receipt needs the order of the file, so one thread reads and numbers and all split.
session.query(f"""
    CREATE TABLE numbered ENGINE = Memory AS
    SELECT toInt32(sum(tag = 'RE') OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS receipt, tag, line
    FROM (SELECT trimRight(line, '\\r') AS line, substring(line, 1, 2) AS tag
          FROM file('{source}', 'LineAsString', 'line String') WHERE tag IN ({tags}))
    SETTINGS max_threads = 1, max_insert_threads = 1
""")
session.query(f"""
    CREATE TABLE record ENGINE = Memory AS
    SELECT receipt, tag, splitByChar(',', line, 13) AS f,
           throwIf(countSubstrings(line, ',') != multiIf({counts}, 0), 'a line with another number of fields') AS bad
    FROM numbered
    SETTINGS max_insert_threads = {THREADS}
""")
session.query("DROP TABLE numbered")
re, ho = RECEIPT, INSURER
of = {name: field(at, "r.f") for name, at in re.items()} | {name: field(at, "h.f") for name, at in ho.items()}
id1 = decoded(*joined(of["insurer"], of["symbol"], of["number"], of["birth"], of["sex"]))
id2 = decoded(*joined(of["name"], of["birth"], of["sex"]))
key = f"unhex('{KEY.hex()}')"
session.query(f"""
    CREATE TABLE receipt ENGINE = Memory AS
    SELECT r.receipt AS receipt, {number(re['service_month'], of='r.f')} AS service_month,
           {of['receipt_type']} AS receipt_type, {number(re['admission_date'], of='r.f')} AS admission_date,
           {number(ho['service_days'], of='h.f')} AS service_days,
           {number(ho['total_points'], of='h.f')} AS total_points,
           {number(ho['copay_amount'], of='h.f')} AS copay_amount,
           {number(ho['meal_amount'], of='h.f')} AS meal_amount,
           toFixedString(HMAC('sha256', {id1}, {key}), 32) AS id1, toFixedString(HMAC('sha256', {id2}, {key}), 32) AS id2
    FROM (SELECT * FROM record WHERE tag = 'RE') AS r
    LEFT JOIN (SELECT * FROM record WHERE tag = 'HO') AS h ON h.receipt = r.receipt
""")
item = f"{text(1)} AS service_class, {field(3)} AS code, {number(4, 'Float64')} AS quantity, {number(5)} AS points, {number(6)} AS times"
diagnosis = (f"{field(1)} AS disease_code, {number(2)} AS start_date, {field(3)} AS outcome, "
             f"{text(4)} AS modifier_codes, {text(6)} AS main_disease")
tables = {
    "diagnosis": ("SY", diagnosis),
    "procedure": ("SI", item),
    "drug": ("IY", item),
    "comment": ("CO", f"{text(1)} AS service_class, {field(3)} AS code"),
}
save = """FORMAT Parquet SETTINGS output_format_parquet_compression_method = 'zstd', output_format_compression_level = 1,
          output_format_parquet_string_as_string = 1"""
session.query(f"SELECT * FROM receipt INTO OUTFILE '{target}/receipt-1.parquet' {save}")
for table, (tag, columns) in tables.items():
    session.query(f"""
        SELECT record.receipt AS receipt, receipt.service_month AS service_month, {columns}
        FROM record JOIN receipt ON record.receipt = receipt.receipt WHERE tag = '{tag}'
        INTO OUTFILE '{target}/{table}-1.parquet' {save}
    """)
session.close()
