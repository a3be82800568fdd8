"""Arrow Flight SQL through the real ADBC driver: what a client gets, and what a client that should not gets.

Prints one line for each thing that is not as it should be, and nothing else.
"""

import csv
import io
import json
import os
import sys

import adbc_driver_flightsql.dbapi as flight
import adbc_driver_manager
import pyarrow
import pyarrow.flight
from adbc_driver_flightsql import DatabaseOptions

given = json.load(sys.stdin)
ADDRESS, TOKEN, OTHER = os.environ["MISU_FLIGHT"], os.environ["MISU_TOKEN"], os.environ["MISU_OTHER"]


def wrong(text):
    print(text.replace("\n", " "))


def connect(token, scheme="Bearer"):
    header = DatabaseOptions.AUTHORIZATION_HEADER.value
    return flight.connect(ADDRESS, autocommit=True, db_kwargs={header: f"{scheme} {token}"})


def ask(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters=parameters)
        return cursor.fetch_arrow_table()


def refused(what, words, run):
    try:
        run()
    except Exception as error:
        for word in words:
            if word not in str(error):
                wrong(f"{what}: no {word} in {error}")
    else:
        wrong(f"{what}: was answered")


def texts(table, heading):
    """A table as the command's CSV has it: a hidden figure as ***, nothing as an empty text."""
    columns = []
    for name in heading:
        values = table.column(name).to_pylist()
        flags = f"{name}_suppressed"
        hidden = table.column(flags).to_pylist() if flags in table.column_names else [False] * len(values)
        text = lambda value: "" if value is None else str(value)
        columns.append(["***" if is_hidden else text(value) for value, is_hidden in zip(values, hidden)])
    return [list(row) for row in zip(*columns)]


def close_to(one, two):
    try:
        return one == two or float(one) == float(two)
    except ValueError:
        return False


ours = connect(TOKEN)

# Released tables are those of the command.
for case in given["cases"]:
    lines = list(csv.reader(io.StringIO(case["csv"])))
    table = ask(ours, case["sql"])
    rows = texts(table, lines[0])
    same = len(rows) == len(lines) - 1 and all(
        close_to(one, two) for row, line in zip(rows, lines[1:]) for one, two in zip(row, line)
    )
    if not same:
        wrong(f"{case['sql']}: {rows[:3]} is not {lines[1:4]}")

# Typed parameters are the literals that they are.
counted = "SELECT sex, count(DISTINCT person_id) AS persons FROM person WHERE sex = ? GROUP BY sex"
bound = ask(ours, counted, ("1",))
plain = ask(ours, counted.replace("?", "'1'"))
if not bound.equals(plain):
    wrong("a bound value gives another table than its literal")
with ours.cursor() as cursor:
    for value in ("1' OR '1'='1", "x' --", "'; DROP TABLE person; --", "1"):
        cursor.execute(counted, parameters=(value,))
        # What is hidden is not nothing.
        shown = [row["persons"] for row in cursor.fetch_arrow_table().to_pylist() if row["persons"] != 0]
        if (len(shown) > 0) != (value == "1"):
            wrong(f"the value {value} gave {shown}")
refused("a missing value", ["parameters"], lambda: ask(ours, counted))
refused("too many values", ["1 parameters and 2 values"], lambda: ask(ours, counted, ("1", "2")))

# Refusals name the rule, the place and what is allowed.
refused("a refused question", given["refusal"], lambda: ask(ours, given["refused"]))
refused("a denied question", ["denied", "not-granted"], lambda: ask(ours, given["denied"]))
refused("an update", ["nimplemented"], lambda: ours.cursor().executemany("INSERT INTO person VALUES (?)", [(1,)]))

# Metadata are those of the permit.
tables = ours.adbc_get_objects(depth="columns").read_all().to_pylist()
names = {
    table["table_name"]: [column["column_name"] for column in table["table_columns"]]
    for catalog in tables
    for schema in catalog["catalog_db_schemas"]
    if schema["db_schema_name"] == ""
    for table in schema["db_schema_tables"]
}
if {table: sorted(columns) for table, columns in names.items()} != given["granted"]:
    wrong(f"metadata are {sorted(names)}")
if ours.adbc_get_info()["vendor_name"] != "misu" or ours.adbc_get_table_types() != ["TABLE"]:
    wrong("the server does not say what it is")

# Nobody gets in without a token of theirs.
for what, connection in [("no token", flight.connect(ADDRESS, autocommit=True)), ("a wrong token", connect("0" * 48))]:
    refused(what, ["no such token"], lambda: ask(connection, given["cases"][0]["sql"]))
refused("a token in another scheme", ["no such token"], lambda: ask(connect(TOKEN, "Token"), "SELECT 1"))
basic = {"username": given["user"], "password": TOKEN}
with_basic = flight.connect(ADDRESS, autocommit=True, db_kwargs=basic)
if ask(with_basic, counted.replace("?", "'1'")) != plain:
    wrong("a Basic handshake gives another answer")
refused(
    "another name with this token",
    ["no such token"],
    lambda: flight.connect(ADDRESS, autocommit=True, db_kwargs={**basic, "username": "somebody"}),
)

# A ticket is good once, for its owner.
client = pyarrow.flight.connect(ADDRESS.replace("grpc://", "grpc+tcp://"))
mine = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
theirs = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {OTHER}".encode())])


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def command(kind, *fields):
    url = f"type.googleapis.com/arrow.flight.protocol.sql.{kind}".encode()
    return field(1, url) + field(2, b"".join(fields))


def info():
    query = command("CommandStatementQuery", field(1, counted.replace("?", "'1'").encode()))
    return client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(query), mine)


ticket = info().endpoints[0].ticket
if b"SELECT" in ticket.ticket or b"person" in ticket.ticket:
    wrong("a ticket holds the question")
refused("another user's ticket", ["no such handle"], lambda: client.do_get(ticket, theirs).read_all())
refused("a ticket without a token", ["no such token"], lambda: client.do_get(ticket).read_all())
if client.do_get(ticket, mine).read_all().num_rows != plain.num_rows:
    wrong("a ticket does not give its table")
refused("a replayed ticket", ["no such handle"], lambda: client.do_get(ticket, mine).read_all())
for made_up in (command("TicketStatementQuery", field(1, b"0" * 64)), b"", b"\xff" * 40, b"SELECT 1"):
    refused("a made-up ticket", [], lambda: client.do_get(pyarrow.flight.Ticket(made_up), mine).read_all())

# A cancelled question's ticket is torn up.
torn = info()
action = pyarrow.flight.Action("CancelQuery", command("ActionCancelQueryRequest", field(1, torn.serialize())))
refused("cancelling somebody else's", ["no such handle"], lambda: list(client.do_action(action, theirs)))
list(client.do_action(action, mine))
refused("a cancelled ticket", ["no such handle"], lambda: client.do_get(torn.endpoints[0].ticket, mine).read_all())

# What is not Flight SQL's is refused.
refused("another action", [], lambda: list(client.do_action(pyarrow.flight.Action("DropDataset", b""), mine)))
refused("listing", ["mplemented"], lambda: list(client.list_flights(options=mine)))
