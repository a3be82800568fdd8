"""Many askers at once: answers a second with each number of them, and what a short question waits among long ones."""

import json
import shutil
import statistics

import measure
import table
from places import PEERS, SCRATCH, cached, empty, program
from queries import demo

# How many ask at once, and whether one of them repeats a short question.
ASKERS = [(1, False), (2, False), (4, False), (8, False), (16, False), (16, True)]
# So many seconds each: an answer near an earlier one counts for the project's budget of denied answers, and a day's is
# used up by some five hundred of these.
SECONDS = 8
# Each number of askers has its turn so often, since a machine has better and worse minutes.
ROUNDS = 4
# The ten questions read more rows and are long, the short one reads fewer.
TURNS = "\n[turns]\nshort_rows = 50000\n"


def run(quick):
    persons, months, seconds = (2_000, 12, 2) if quick else (12_000, 24, SECONDS)
    data = cached(f"demo-{persons}-persons-{months}-months", "misu-ingest", lambda to: demo(to, persons, months))
    rounds = [[one(data / "demo" / "env", askers, short, seconds) for askers, short in ASKERS]
              for _ in range(1 if quick else ROUNDS)]
    result = [together(of) for of in zip(*rounds)]
    show(result, persons)
    return result


def together(rounds):
    """What one number of askers got in all rounds."""
    took, short = ([one for of in rounds for one in of[what]] for what in ("took", "short"))
    return {"askers": rounds[0]["askers"], "seconds": sum(of["seconds"] for of in rounds), "took": took, "short": short}


def one(env, askers, short, seconds):
    """An environment of its own for each run: what was released before makes the next answer slower."""
    own = empty(SCRATCH / "many") / "env"
    shutil.copytree(env, own, symlinks=True)
    with open(own / "misu.toml", "a") as config:
        config.write(TURNS)
    asked = [program("misu-bench-queries"), "--env", own, "--questions", PEERS.parent / "ten",
             "--askers", askers, "--seconds", seconds, *(["--short"] if short else [])]
    result = json.loads(measure.quiet(asked))
    empty(SCRATCH / "many")
    return {"askers": askers, **result}


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
