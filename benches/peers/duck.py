"""Peer: DuckDB.

It cannot read CP932 (its `encodings` extension is not in the wheel), so iconv goes first. It has no HMAC either, but
SHA-256 of blobs, so the HMAC is built from its definition and is a real one. The CSV reader splits the lines itself:
short records are padded with nulls, and since an empty field is an empty string there, the nulls tell the number of
fields.
"""

import duckdb

from job import COLUMNS, INSURER, KEY, RECEIPT, THREADS, arguments, to_utf8

WIDEST = 48
INNER = bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0")).hex()
OUTER = bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0")).hex()


def keyed(message):
    inner = f"unhex(sha256(unhex('{INNER}') || encode({message})))"
    return f"unhex(sha256(unhex('{OUTER}') || {inner}))"


def has_columns():
    """The last field of the record is there and the next is not."""
    tests = (f"WHEN '{tag}' THEN f{count - 1} IS NOT NULL AND f{count} IS NULL" for tag, count in COLUMNS.items())
    return f"CASE f0 {' '.join(tests)} ELSE true END"


def number(field, kind="INTEGER"):
    return f"nullif(f{field}, '')::{kind}"


def text(field):
    return f"nullif(f{field}, '')"


source, target = arguments()
lines = to_utf8(source, target / "lines.csv")
db = duckdb.connect()
db.execute(f"SET threads = {THREADS}; SET temp_directory = '{target}/spill'")
fields = ", ".join(f"'f{at}': 'VARCHAR'" for at in range(WIDEST))
db.execute(f"""
    CREATE TEMP TABLE record AS
    SELECT count(*) FILTER (f0 = 'RE') OVER (ROWS UNBOUNDED PRECEDING)::INTEGER AS receipt,
           f0, f1, f2, f3, f4, f5, f6, f8, f11,
           CASE WHEN {has_columns()} THEN true ELSE error('a line with another number of fields') END AS is_good
    FROM read_csv('{lines}', columns = {{{fields}}}, header = false, auto_detect = false, delim = ',', quote = '',
                  escape = '', null_padding = true, nullstr = '\\N', new_line = '\\r\\n')
    WHERE f0 IN ({', '.join(f"'{tag}'" for tag in COLUMNS)})
""")
re, ho = RECEIPT, INSURER
part = lambda side, fields, *names: " || '|' || ".join(f"coalesce({side}.f{fields[name]}, '')" for name in names)
insured, birth_sex = part("h", ho, "insurer", "symbol", "number"), part("r", re, "birth", "sex")
db.execute(f"""
    CREATE TEMP TABLE receipt AS
    SELECT r.receipt, nullif(r.f{re['service_month']}, '')::INTEGER AS service_month,
           r.f{re['receipt_type']} AS receipt_type, nullif(r.f{re['admission_date']}, '')::INTEGER AS admission_date,
           nullif(h.f{ho['service_days']}, '')::INTEGER AS service_days,
           nullif(h.f{ho['total_points']}, '')::INTEGER AS total_points,
           nullif(h.f{ho['copay_amount']}, '')::INTEGER AS copay_amount,
           nullif(h.f{ho['meal_amount']}, '')::INTEGER AS meal_amount,
           {keyed(f"{insured} || '|' || {birth_sex}")} AS id1,
           {keyed(f"{part('r', re, 'name')} || '|' || {birth_sex}")} AS id2
    FROM record r LEFT JOIN record h ON h.receipt = r.receipt AND h.f0 = 'HO'
    WHERE r.f0 = 'RE'
""")
item = f"{text(1)} AS service_class, f3 AS code, {number(4, 'DOUBLE')} AS quantity, {number(5)} AS points, {number(6)} AS times"
diagnosis = (f"f1 AS disease_code, {number(2)} AS start_date, f3 AS outcome, {text(4)} AS modifier_codes, "
             f"{text(6)} AS main_disease")
tables = {
    "diagnosis": ("SY", diagnosis),
    "procedure": ("SI", item),
    "drug": ("IY", item),
    "comment": ("CO", f"{text(1)} AS service_class, f3 AS code"),
}
save = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
db.execute(f"COPY receipt TO '{target}/receipt-1.parquet' {save}")
for table, (tag, columns) in tables.items():
    db.execute(f"""
        COPY (SELECT receipt, service_month, {columns} FROM record JOIN receipt USING (receipt) WHERE f0 = '{tag}')
        TO '{target}/{table}-1.parquet' {save}
    """)
lines.unlink()
