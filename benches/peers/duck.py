"""Peer: DuckDB.

It cannot read CP932 (its `encodings` extension is not in the wheel), so iconv goes first. It has no HMAC either, but
SHA-256 of blobs, so the HMAC is built from its definition and is a real one. Lines are read whole and split by SQL: the
CSV reader with `null_padding` lost and doubled lines when it ran on two threads, and is no faster on one.
"""

import duckdb

from job import COLUMNS, INSURER, KEY, RECEIPT, THREADS, arguments, to_utf8

FIELDS = (0, 1, 2, 3, 4, 5, 6, 8, 11)
INNER = bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0")).hex()
OUTER = bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0")).hex()


def keyed(message):
    inner = f"unhex(sha256(unhex('{INNER}') || encode({message})))"
    return f"unhex(sha256(unhex('{OUTER}') || {inner}))"


def number(field, kind="INTEGER"):
    return f"nullif(f{field}, '')::{kind}"


def text(field):
    return f"nullif(f{field}, '')"


source, target = arguments()
lines = to_utf8(source, target / "lines.csv")
db = duckdb.connect()
db.execute(f"SET threads = {THREADS}; SET temp_directory = '{target}/spill'")
wanted = " ".join(f"WHEN '{tag}' THEN {columns}" for tag, columns in COLUMNS.items())
# The number of a line's receipt needs the order of the file, and a parallel read gives its blocks in another order: the
# lines are read and numbered by one thread, and split by all.
db.execute(f"""
    CREATE TEMP TABLE numbered AS
    SELECT sum((line[:2] = 'RE')::INTEGER) OVER (ROWS UNBOUNDED PRECEDING)::INTEGER AS receipt, line
    FROM read_csv('{lines}', columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false, parallel = false,
                  delim = '\x01', quote = '', escape = '', new_line = '\\r\\n')
    WHERE line[:2] IN ({', '.join(f"'{tag}'" for tag in COLUMNS)})
""")
db.execute(f"""
    CREATE TEMP TABLE record AS
    SELECT receipt, {', '.join(f'f[{at + 1}] AS f{at}' for at in FIELDS)}, len(f) = CASE f[1] {wanted} END AS is_whole
    FROM (SELECT receipt, string_split(line, ',') AS f FROM numbered)
""")
db.execute("DROP TABLE numbered")
if not db.execute("SELECT bool_and(is_whole) FROM record").fetchone()[0]:
    raise SystemExit("a line with another number of fields")
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
