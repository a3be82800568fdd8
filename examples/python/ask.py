"""Asks misu from Python: Arrow Flight SQL through the stock ADBC driver, into pandas and Polars.

    pip install adbc-driver-flightsql adbc-driver-manager pyarrow pandas polars
    export MISU_FLIGHT=grpc://127.0.0.1:32010 MISU_TOKEN=...
    python ask.py
"""

import os

import adbc_driver_flightsql.dbapi as flight
import polars
from adbc_driver_flightsql import DatabaseOptions

connection = flight.connect(
    os.environ["MISU_FLIGHT"],
    autocommit=True,
    db_kwargs={DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {os.environ['MISU_TOKEN']}"},
)

# A question; what comes back has passed disclosure control. A hidden figure is null, and its flag says so.
with connection.cursor() as cursor:
    cursor.execute("SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex")
    frame = cursor.fetch_df()
print(frame[["sex", "sex_en", "persons"]].to_string(index=False))

# The same into Polars, with values for parameters.
with connection.cursor() as cursor:
    cursor.execute(
        "SELECT sex, count(DISTINCT person_id) AS persons FROM person WHERE sex = ? GROUP BY sex",
        parameters=("2",),
    )
    table = polars.from_arrow(cursor.fetch_arrow_table())
print(table.select("sex", "sex_en", "persons"))

# A question that is refused says which rule it breaks, where, and what would be allowed.
with connection.cursor() as cursor:
    try:
        cursor.execute("SELECT birth_date, count(*) FROM person GROUP BY birth_date")
        cursor.fetchall()
    except connection.Error as refusal:
        print(refusal)

connection.close()
