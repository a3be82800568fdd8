"""Many askers at once: answers a second with each number of them, and what a short question waits among long ones."""

import json
import statistics

import measure
import table
from places import PEERS, cached, program
from queries import demo


def run(quick):
    persons, months, seconds = (2_000, 12, 2) if quick else (20_000, 24, 30)
    data = cached(f"demo-{persons}-persons-{months}-months", "misu-ingest", lambda to: demo(to, persons, months))
    asked = [program("misu-bench-queries"), "--env", data / "demo" / "env", "--questions", PEERS.parent / "ten",
             "--many", seconds]
    result = json.loads(measure.quiet(asked))
    show(result, persons)
    return result


def show(result, persons):
    rates = [len(of["took"]) / of["seconds"] for of in result]
    most = max(rates)
    rows = []
    for of, rate in zip(result, rates):
        short = [f"{1000 * part(of['short'], share):.0f}" if of["short"] else "" for share in (50, 95)]
        rows.append([f"{of['askers']}{', one of them short' if of['short'] else ''}", f"{rate:.2f}",
                     f"{rate / most:.2f}", *(f"{1000 * part(of['took'], share):.0f}" for share in (50, 95)), *short])
    table.show(f"Many askers of the ten questions: {persons:,} persons, ms",
               ["askers", "answers a second", "÷ most", "p50", "p95", "short p50", "short p95"], rows)


def part(seconds, share):
    return statistics.quantiles(seconds, n=100)[share - 1] if len(seconds) > 1 else seconds[0]
