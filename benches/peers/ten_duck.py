"""Peer of the ten-query bench: DuckDB over the same Parquet files in clear, with the same text."""

import duckdb

import ten

# The functions of our SQL that it does not have.
MACROS = """
CREATE MACRO add_months(day, months) AS CAST(day + to_months(CAST(months AS INTEGER)) AS DATE);
CREATE MACRO whole_years(born, day) AS
    year(day) - year(born) - CASE WHEN (month(day), day(day)) < (month(born), day(born)) THEN 1 ELSE 0 END;
CREATE MACRO age_band(born, day, width) AS CASE
    WHEN born IS NULL OR day IS NULL OR whole_years(born, day) < 0 THEN NULL
    WHEN whole_years(born, day) >= 90 THEN '90+'
    ELSE (whole_years(born, day) // width * width) || '-'
        || (least(whole_years(born, day) // width * width + width, 90) - 1) END;
"""

database = duckdb.connect()
database.execute(f"SET threads = {ten.THREADS}")
database.execute(MACROS)
for table, files in ten.tables().items():
    database.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files!r})")


def ask(path):
    result = database.execute(path.read_text())
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


ten.run(ask)
