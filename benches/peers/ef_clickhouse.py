"""Peer of the EF bench: ClickHouse, in this process through chdb; it reads CP932 (as ICU's cp943) and has HMAC."""

import chdb

from ef_job import ACT, ADMISSION, DATA_ID, DISCHARGE, FACILITY, FIELDS
from job import KEY, THREADS, arguments

KINDS = {int: "toInt32OrNull({})", float: "toFloat64OrNull({})", str: "nullIf({}, '')"}

source, target = arguments()
session = chdb.session.Session(str(target / "session"))
session.query(f"SET max_threads = {THREADS}")


def field(at):
    return f"f[{at + 1}]"


def keyed(*fields):
    message = ", '|', ".join(field(at) for at in fields)
    text = f"convertCharset(concat({message}), 'cp943', 'UTF-8')"
    return f"toFixedString(HMAC('sha256', {text}, unhex('{KEY.hex()}')), 32)"


whole = f"throwIf(countSubstrings(text, '\\t') != {FIELDS - 1}, 'a line with another number of fields')"
# The numbers of a line and of its stay need the order of the file, so one thread reads and numbers and all split.
session.query(f"""
    CREATE TABLE numbered ENGINE = Memory AS
    SELECT line, text, toInt32(sum(is_new) OVER (ORDER BY line ROWS UNBOUNDED PRECEDING)) AS stay, is_new
    FROM (SELECT line, text, key != lagInFrame(key, 1, '') OVER (ORDER BY line ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
                 AS is_new
          FROM (SELECT toInt32(rowNumberInAllBlocks() + 1) AS line, trimRight(row, '\\r') AS text,
                       arrayStringConcat(arrayMap(at -> splitByChar('\\t', row, 5)[at], [{FACILITY + 1}, {DATA_ID + 1},
                                                                                         {ADMISSION + 1}]), '|') AS key
                FROM file('{source}', 'LineAsString', 'row String')))
    SETTINGS max_threads = 1, max_insert_threads = 1
""")
session.query(f"""
    CREATE TABLE record ENGINE = Memory AS
    SELECT line, stay, is_new, splitByChar('\\t', text) AS f, {whole} AS bad FROM numbered
    SETTINGS max_insert_threads = {THREADS}
""")
session.query("DROP TABLE numbered")
save = """FORMAT Parquet SETTINGS output_format_parquet_compression_method = 'zstd', output_format_compression_level = 1,
          output_format_parquet_string_as_string = 1"""
session.query(f"""
    SELECT stay, toInt32OrNull({field(ADMISSION)}) AS admission_date, toInt32OrNull({field(DISCHARGE)}) AS discharge_date,
           {keyed(FACILITY, DATA_ID)} AS id, {keyed(FACILITY, DATA_ID, ADMISSION)} AS key
    FROM record WHERE is_new INTO OUTFILE '{target}/stay-1.parquet' {save}
""")
fields = ", ".join(f"{KINDS[kind].format(field(at))} AS {name}" for name, (at, kind) in ACT.items())
session.query(f"SELECT stay, line, {fields} FROM record INTO OUTFILE '{target}/act-1.parquet' {save}")
session.close()
