"""Peer of the EF bench: DuckDB; iconv goes first, and the HMAC is built from its definition, as in duck.py.

Lines are read whole and split by SQL: a parallel read gives its blocks in another order, and the number of the line and
of the stay need the order of the file.
"""

import duckdb

from ef_job import ACT, ADMISSION, DATA_ID, DISCHARGE, FACILITY, FIELDS
from job import KEY, THREADS, arguments, to_utf8

INNER = bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0")).hex()
OUTER = bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0")).hex()
KINDS = {int: "INTEGER", float: "DOUBLE", str: "VARCHAR"}


def keyed(*fields):
    message = " || '|' || ".join(f"f{at}" for at in fields)
    inner = f"unhex(sha256(unhex('{INNER}') || encode({message})))"
    return f"unhex(sha256(unhex('{OUTER}') || {inner}))"


def field(at, kind):
    return f"nullif(f{at}, '')::{KINDS[kind]}"


source, target = arguments()
lines = to_utf8(source, target / "lines.tsv")
db = duckdb.connect()
db.execute(f"SET threads = {THREADS}; SET temp_directory = '{target}/spill'")
used = sorted({FACILITY, DATA_ID, DISCHARGE, ADMISSION, *(at for at, _ in ACT.values())})
db.execute(f"""
    CREATE TEMP TABLE numbered AS
    SELECT row_number() OVER ()::INTEGER AS line, text
    FROM read_csv('{lines}', columns = {{'text': 'VARCHAR'}}, header = false, auto_detect = false, parallel = false,
                  delim = '\x01', quote = '', escape = '', new_line = '\\r\\n')
""")
db.execute(f"""
    CREATE TEMP TABLE record AS
    SELECT line, {', '.join(f'f[{at + 1}] AS f{at}' for at in used)}, len(f) = {FIELDS} AS is_whole
    FROM (SELECT line, string_split(text, '\t') AS f FROM numbered)
""")
db.execute("DROP TABLE numbered")
if not db.execute("SELECT bool_and(is_whole) FROM record").fetchone()[0]:
    raise SystemExit("a line with another number of fields")
key = f"(f{FACILITY}, f{DATA_ID}, f{ADMISSION})"
db.execute(f"""
    CREATE TEMP TABLE begun AS
    SELECT row_number() OVER (ORDER BY line)::INTEGER AS stay, line AS first_line
    FROM (SELECT line, {key} IS DISTINCT FROM lag({key}) OVER (ORDER BY line) AS is_new FROM record) WHERE is_new
""")
save = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
db.execute(f"""
    COPY (SELECT stay, {field(ADMISSION, int)} AS admission_date, {field(DISCHARGE, int)} AS discharge_date,
                 {keyed(FACILITY, DATA_ID)} AS id, {keyed(FACILITY, DATA_ID, ADMISSION)} AS key
          FROM begun JOIN record ON record.line = begun.first_line)
    TO '{target}/stay-1.parquet' {save}
""")
fields = ", ".join(f"{field(at, kind)} AS {name}" for name, (at, kind) in ACT.items())
db.execute(f"""
    COPY (SELECT stay, line, {fields} FROM record ASOF JOIN begun ON record.line >= begun.first_line)
    TO '{target}/act-1.parquet' {save}
""")
lines.unlink()
