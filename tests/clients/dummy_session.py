"""Dummy data as a researcher uses them: DuckDB reads the files, and questions find persons in them.

Prints one line for each thing that is not as it should be, and nothing else.
"""

import json
import pathlib
import sys

import duckdb

given = json.load(sys.stdin)
folder = pathlib.Path(given["folder"])
database = duckdb.connect()
for file in folder.glob("*.parquet"):
    database.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM read_parquet('{file}')")

found = {}
for table, column in database.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall():
    found.setdefault(table, set()).add(column)
for table, columns in given["granted"].items():
    if found.get(table) != set(columns):
        print(f"{table} has {sorted(found.get(table, []))}, granted are {sorted(columns)}")
if set(found) != set(given["granted"]):
    print(f"tables are {sorted(found)}")
for question in given["questions"]:
    persons = database.execute(question["sql"]).fetchone()[0]
    if persons < question["least"]:
        print(f"{question['sql']}: {persons} persons, at least {question['least']} were arranged")
rows = database.execute("SELECT count(*), count(DISTINCT receipt_id) FROM ndb_receipt").fetchone()
if rows[0] != rows[1]:
    print(f"{rows[0]} receipts have {rows[1]} numbers")
joined = database.execute(
    "SELECT count(*) FROM ndb_diagnosis d JOIN ndb_receipt r USING (person_id, receipt_id) "
    "WHERE d.service_month <> r.service_month OR d.facility_id <> r.facility_id"
).fetchone()[0]
if joined:
    print(f"{joined} rows of one receipt do not agree")
