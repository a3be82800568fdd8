"""An independent answer to every query of the corpus, by DuckDB and a slow reference of the rules.

Reads one JSON document from standard input: the Parquet files of each table, the codes of each list, and for every case
its SQL, the declared domains of its keys and the rows that misu released. Writes the differences, one line each. It shares no code with the
engine: the text is read by sqlglot, the figures are DuckDB's, and which cells must be hidden is worked out here.
"""

import json
import sys
from datetime import date
from decimal import Decimal

import duckdb
import sqlglot
from sqlglot import exp

TOTAL = "(total)"
OTHER = "(other)"
HIDDEN = "***"

MACROS = """
CREATE MACRO month_of(d) AS CAST(date_trunc('month', d) AS DATE);
CREATE MACRO fiscal_year(d) AS CAST(year(d) - CASE WHEN month(d) < 4 THEN 1 ELSE 0 END AS VARCHAR);
CREATE MACRO add_months(d, n) AS CAST(d + to_months(CAST(n AS INTEGER)) AS DATE);
CREATE MACRO years_between(b, d) AS
    year(d) - year(b) - CASE WHEN (month(d), day(d)) < (month(b), day(b)) THEN 1 ELSE 0 END;
CREATE MACRO age_band3(b, d, w) AS CASE
    WHEN b IS NULL OR d IS NULL OR years_between(b, d) < 0 THEN NULL
    WHEN years_between(b, d) >= 90 THEN '90+'
    ELSE (years_between(b, d) // w * w) || '-' || (least(years_between(b, d) // w * w + w, 90) - 1) END;
CREATE MACRO months_apart(a, b) AS (year(b) - year(a)) * 12 + month(b) - month(a);
CREATE MACRO months_band3(a, b, w) AS CASE
    WHEN a IS NULL OR b IS NULL OR months_apart(a, b) < -36 OR months_apart(a, b) >= 60 THEN NULL
    ELSE (
        CASE WHEN greatest(floor(months_apart(a, b) / w) * w, -36)
                = least(floor(months_apart(a, b) / w) * w + w, 60) - 1
        THEN CAST(CAST(greatest(floor(months_apart(a, b) / w) * w, -36) AS BIGINT) AS VARCHAR)
        ELSE CAST(CAST(greatest(floor(months_apart(a, b) / w) * w, -36) AS BIGINT) AS VARCHAR) || '..'
            || CAST(CAST(least(floor(months_apart(a, b) / w) * w + w, 60) - 1 AS BIGINT) AS VARCHAR) END) END;
"""

AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Stddev, exp.Variance, exp.Median, exp.StddevSamp)


def is_aggregate(node):
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in ("quantile", "median", "variance", "stddev")
    return isinstance(node, AGGREGATES + (exp.Quantile,))


def prepared(tree):
    """Gives our two functions with an optional argument their full form."""

    def step(node):
        if isinstance(node, exp.Anonymous) and node.name.lower() in ("age_band", "months_band"):
            width = {"age_band": 5, "months_band": 3}[node.name.lower()]
            args = list(node.expressions) + [exp.Literal.number(width)] * (3 - len(node.expressions))
            if node.name.lower() == "age_band":
                args[2] = exp.Literal.number(-(-int(args[2].name) // 5) * 5)
            return exp.Anonymous(this=node.name.lower() + "3", expressions=args)
        return node

    return tree.transform(step)


def unit(select):
    source = select.args["from_" if "from_" in select.args else "from"].this
    return exp.column("person_id", table=source.alias_or_name)


def condition(call):
    """The rows that an aggregate is about: nothing for all of them."""
    terms = []
    if isinstance(call.parent, exp.Filter):
        terms.append(call.parent.expression.this)
    argument = call.this if not isinstance(call, exp.Anonymous) else call.expressions[0]
    if isinstance(argument, exp.Distinct):
        terms.append(exp.not_(exp.Is(this=argument.expressions[0], expression=exp.Null())))
    elif isinstance(argument, exp.Case) and len(argument.args["ifs"]) == 1:
        otherwise = argument.args.get("default")
        is_nothing = otherwise is None or isinstance(otherwise, exp.Null)
        is_zero = isinstance(call, exp.Sum) and otherwise is not None and otherwise.sql() == "0"
        if is_nothing or is_zero:
            terms.append(argument.args["ifs"][0].this)
    elif isinstance(call, exp.Count) and isinstance(argument, exp.Column):
        terms.append(exp.not_(exp.Is(this=argument, expression=exp.Null())))
    return exp.and_(*[term.copy() for term in terms]) if terms else None


def ranked(call):
    """The argument and rank of a quantile."""
    if isinstance(call, exp.Median):
        return call.this, 0.5
    if isinstance(call, exp.Quantile):
        return call.this, float(call.args["quantile"].name)
    if isinstance(call, exp.Anonymous) and call.name.lower() == "median":
        return call.expressions[0], 0.5
    if isinstance(call, exp.Anonymous) and call.name.lower() == "quantile":
        return call.expressions[0], float(call.expressions[1].name)
    return None


def grouping(select, aliases):
    """The keys and the grouping sets over them."""
    group = select.args.get("group")
    if group is None:
        return [], [()]

    def plain(node):
        node = node.this if isinstance(node, exp.Paren) else node
        if isinstance(node, exp.Column) and not node.table and node.name in aliases:
            return aliases[node.name]
        return node

    def members(node):
        if isinstance(node, exp.Tuple):
            return [plain(part) for part in node.expressions]
        return [plain(node)]

    keys, sets = [], None
    special = (exp.Rollup, exp.Cube, exp.GroupingSets)
    listed = list(group.expressions)
    for kind in ("rollup", "cube", "grouping_sets"):
        listed += [node for node in group.args.get(kind) or [] if isinstance(node, special)]
    for node in listed:
        if not isinstance(node, special):
            keys.append(plain(node))
            continue
        parts = [members(part) for part in node.expressions]
        flat = [part for many in parts for part in many]
        keys += [key for at, key in enumerate(flat) if key not in keys and key not in flat[:at]]
        if isinstance(node, exp.Rollup):
            sets = [flat[:n] for n in range(len(flat), -1, -1)]
        elif isinstance(node, exp.Cube):
            sets = [[flat[at] for at in range(len(flat)) if bits >> at & 1] for bits in range(1 << len(flat))]
        else:
            sets = parts
    if sets is None:
        sets = [keys]
    return keys, [tuple(keys.index(key) for key in one) for one in sets]


def quantile(values, rank, k):
    """The start of the finest interval (1, 2, 5, 10 …) that holds the value at the rank and k persons."""
    values = sorted((Decimal(str(value)), person) for value, person in values if value is not None)
    if not values:
        return ""
    at = max(1, -(-len(values) * int(round(rank * 1000)) // 1000))
    value = values[at - 1][0]
    for power in range(0, 16):
        for step in (1, 2, 5):
            width = Decimal(step * 10**power)
            low = (value / width).to_integral_value(rounding="ROUND_FLOOR") * width
            within = {person for number, person in values if low <= number < low + width}
            if len(within) >= k:
                return low
    return HIDDEN


class Case:
    def __init__(self, database, case, k):
        self.db, self.case, self.k = database, case, k
        self.shown = self.spared = 0
        tree = prepared(sqlglot.parse_one(case.get("oracle") or case["sql"], dialect="duckdb"))
        self.select = tree
        self.aliases = {item.alias: item.this for item in tree.expressions if isinstance(item, exp.Alias)}
        self.keys, self.sets = grouping(tree, self.aliases)
        self.calls = []
        for part in [*tree.expressions, tree.args.get("having"), tree.args.get("order")]:
            for node in part.walk(bfs=False) if part is not None else []:
                # What a subquery adds up is a figure of a public table, and stands as it is.
                if is_aggregate(node) and node.find_ancestor(exp.Subquery) is None:
                    whole = node.parent if isinstance(node.parent, exp.Filter) else node
                    if whole not in self.calls:
                        self.calls.append(whole)

    def inner(self, call):
        return call.this if isinstance(call, exp.Filter) else call

    def wrapped(self, at):
        """A key, with everything outside its declared domain as one value."""
        domain = self.case["keys"][at]
        key = self.keys[at].sql(dialect="duckdb")
        text = f"strftime({key}, '%Y-%m')" if domain["kind"] == "date" else f"CAST({key} AS VARCHAR)"
        inside = f"{text} IN ({', '.join(repr(code) for code in domain['codes'])})"
        if domain["kind"] == "date":
            inside = f"{inside} AND day({key}) = 1"
        return f"CASE WHEN {inside} THEN {text} ELSE '{OTHER}' END"

    def evidence(self):
        """Every cell with each aggregate's exact value and the distinct persons behind it and behind its cell."""
        person = unit(self.select).sql(dialect="duckdb")
        columns = [f"{self.wrapped(at)} AS k{at}" for at in range(len(self.keys))]
        columns.append(f"count(DISTINCT {person}) AS whole")
        for at, call in enumerate(self.calls):
            call_sql = call.sql(dialect="duckdb")
            inner = self.inner(call)
            where = condition(inner)
            where_sql = where.sql(dialect="duckdb") if where is not None else "true"
            columns.append(f"count(DISTINCT CASE WHEN {where_sql} THEN {person} END) AS p{at}")
            rank = ranked(inner)
            if rank is not None:
                value = rank[0].sql(dialect="duckdb")
                columns.append(f"list(struct_pack(v := {value}, p := {person})) FILTER (WHERE {where_sql}) AS v{at}")
            else:
                columns.append(f"{call_sql} AS v{at}")
        cells = []
        for one in self.sets:
            query = self.select.copy()
            for part in ("group", "having", "order", "limit", "offset"):
                query.set(part, None)
            shown = [
                column if not column.endswith(f" AS k{at}") or at in one else f"'{TOTAL}' AS k{at}"
                for at, column in enumerate(columns)
            ]
            query.set("expressions", [])
            text = query.select(*shown, dialect="duckdb").sql(dialect="duckdb")
            if one:
                text += " GROUP BY " + ", ".join(str(at + 1) for at in one)
            result = self.db.execute(text)
            names = [column[0] for column in result.description]
            cells += [dict(zip(names, row)) for row in result.fetchall()]
        return cells

    def atoms(self, cell):
        """What may be shown of a cell by the primary rule alone, and what must be hidden."""
        few = lambda persons: 1 <= persons < self.k
        values = []
        for at, call in enumerate(self.calls):
            rank = ranked(self.inner(call))
            if few(cell["whole"]) or few(cell[f"p{at}"]) or few(cell["whole"] - cell[f"p{at}"]):
                values.append(HIDDEN)
            elif rank is not None:
                pairs = [(pair["v"], pair["p"]) for pair in cell[f"v{at}"] or []]
                values.append(quantile(pairs, rank[1], self.k))
            elif cell[f"v{at}"] is None:
                # In a released table a sum of nothing is zero.
                values.append(0 if isinstance(self.inner(call), exp.Sum) else "")
            else:
                values.append(cell[f"v{at}"])
        return values

    def differences(self):
        cells = [cell for cell in self.evidence() if cell["whole"] > 0 or not self.keys]
        reference = {tuple(cell[f"k{at}"] for at in range(len(self.keys))): self.atoms(cell) for cell in cells}
        released = {tuple(row["keys"]): row["values"] for row in self.case["cells"]}
        # Both sides number the distinct aggregates as they come in SELECT, HAVING and ORDER BY.
        order = range(len(self.calls))
        for key, atoms in reference.items():
            if key not in released:
                yield f"{key} is missing"
                continue
            for shown, at in zip(released[key], order):
                expected = atoms[at]
                self.shown += shown != HIDDEN
                if expected == HIDDEN and shown != HIDDEN:
                    yield f"{key}: {self.calls[at].sql()} is shown and must be hidden"
                elif expected != HIDDEN and shown == HIDDEN:
                    # Protecting a family may take a cell that a rule on cells alone would leave: rarely, see main.
                    self.spared += len(self.sets) == 1
                elif expected != HIDDEN and not close(shown, expected):
                    yield f"{key}: {self.calls[at].sql()} is {shown}, expected {expected}"
        for key, values in released.items():
            # An aggregate of nothing is a zero or nothing at all.
            if key not in reference and any(value not in ("0", "", HIDDEN) for value in values):
                yield f"{key} is not there"
        yield from self.post(released, order)

    def post(self, released, order):
        """HAVING, ORDER BY, LIMIT and arithmetic over the protected cells, by DuckDB over a table of them."""
        columns = [f"k{at} VARCHAR, o{at} INTEGER" for at in range(len(self.keys))]
        columns += [f"a{at} DOUBLE" for at in range(len(self.calls))]
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE cells (n INTEGER{''.join(', ' + c for c in columns)})")
        rows = []
        for number, row in enumerate(self.case["cells"]):
            values = {at: value for value, at in zip(row["values"], order)}
            keys = []
            for at, key in enumerate(row["keys"]):
                codes = self.case["keys"][at]["codes"]
                place = codes.index(key) if key in codes else len(codes) + (key == TOTAL)
                keys += [None if key == TOTAL else key, place]
            number_of = lambda text: None if text in (HIDDEN, "") else float(text)
            rows.append([number, *keys, *[number_of(values.get(at, "")) for at in range(len(self.calls))]])
        if rows:
            self.db.executemany(f"INSERT INTO cells VALUES ({', '.join('?' * len(rows[0]))})", rows)

        def replaced(tree, is_order=False):
            def step(node):
                for at, call in enumerate(self.calls):
                    if node == call:
                        return exp.column(f"a{at}")
                for at, key in enumerate(self.keys):
                    if node == key or isinstance(node, exp.Column) and self.aliases.get(node.name) == key:
                        return exp.column(f"o{at}" if is_order else f"k{at}")
                if isinstance(node, exp.Column) and not node.table and node.name in self.aliases:
                    return replaced(self.aliases[node.name].copy(), is_order)
                return node

            return tree.copy().transform(step)

        shown = ", ".join(
            replaced(item.this if isinstance(item, exp.Alias) else item).sql(dialect="duckdb")
            for item in self.select.expressions
        )
        text = f"SELECT {shown} FROM cells"
        if self.select.args.get("having"):
            text += f" WHERE {replaced(self.select.args['having'].this).sql(dialect='duckdb')}"
        sorts = []
        for sort in self.select.args["order"].expressions if self.select.args.get("order") else []:
            by = sort.this
            if isinstance(by, exp.Literal) and by.is_int:
                by = self.select.expressions[int(by.name) - 1]
                by = by.this if isinstance(by, exp.Alias) else by
            direction = "DESC" if sort.args.get("desc") else "ASC"
            sorts.append(f"{replaced(by, True).sql(dialect='duckdb')} {direction} NULLS LAST")
        text += " ORDER BY " + ", ".join([*sorts, "n"])
        for part in ("limit", "offset"):
            if self.select.args.get(part):
                text += f" {part.upper()} {self.select.args[part].expression.sql()}"
        expected = self.db.execute(text).fetchall()
        shown = self.case["rows"]
        if len(expected) != len(shown):
            yield f"{len(shown)} rows, expected {len(expected)}"
        for number, (row, other) in enumerate(zip(shown, expected)):
            for one, two in zip(row, other):
                # What is hidden or has no value is no value in the reference.
                if two is None and one in (HIDDEN, "", TOTAL):
                    continue
                if two is None or not close(one, two):
                    yield f"row {number}: {one}, expected {two}"


def close(shown, expected):
    if isinstance(expected, bool):
        return shown in (str(expected).lower(), str(int(expected)))
    if isinstance(expected, (int, float, Decimal)):
        if shown in ("", HIDDEN):
            return False
        places = len(shown.split(".")[1]) if "." in shown else 0
        # Both round; two figures that round to neighbours are the same one.
        room = 1.01 * 10**-places if places else 0.51
        return abs(float(shown) - float(expected)) <= room + 1e-9 * abs(float(expected))
    if isinstance(expected, date):
        return shown == expected.strftime("%Y-%m")
    return shown == str(expected)


def main():
    document = json.load(sys.stdin)
    database = duckdb.connect()
    database.execute("SET TimeZone='UTC'")
    database.execute(MACROS)
    for table, files in document["tables"].items():
        listed = ", ".join(repr(name) for name in files)
        database.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet([{listed}])")
    for table, columns in document["empty"].items():
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        database.execute(f"CREATE TABLE {table} ({listed})")
    database.execute("CREATE SCHEMA lists")
    for name, codes in document["lists"].items():
        database.execute(f'CREATE TABLE lists."{name}" (code VARCHAR)')
        database.executemany(f'INSERT INTO lists."{name}" VALUES (?)', [[code] for code in codes])
    shown = spared = 0
    for case in document["cases"]:
        try:
            judged = Case(database, case, document["threshold"])
            found = list(judged.differences())
            shown, spared = shown + judged.shown, spared + judged.spared
        except Exception as error:  # a query that the reference cannot answer is a difference as well
            found = [f"{type(error).__name__}: {error}"]
        for difference in found[:5]:
            print(f"{case['name']}: {difference}".replace("\n", " "))
    # What a condition leaves of a cell may be few, of rows as well as of persons.
    if spared * 50 > shown:
        print(f"{spared} cells are hidden that no rule on cells asks for, beside {shown} that are shown")


main()
