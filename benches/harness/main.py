"""Runs the ingest benches and the query benches, prints a table for each and keeps the figures as JSON."""

import argparse
import datetime
import json
import os
import platform

import ef
import growth
import ingest
import many
import queries
import size
import ten
from places import RESULTS

BENCHES = {"ingest": ingest.run, "ef": ef.run, "queries": queries.run, "ten": ten.run, "many": many.run}
# Those that run only when they are asked for by name: an hour and 25 GB of disk, and what changes with a layout alone.
ASKED = {"growth": growth.run, "size": size.run}


def machine():
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": len(os.sched_getaffinity(0)), "memory": memory, "system": platform.platform()}


def main():
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small file and population, one repetition")
    parser.add_argument("--only", choices=[*BENCHES, *ASKED], help="one bench alone")
    arguments = parser.parse_args()
    quick = arguments.quick
    begun = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    result = {"begun": begun, "quick": quick, "machine": machine()}
    for name, bench in (BENCHES | ASKED).items():
        if name == arguments.only or arguments.only is None and name in BENCHES:
            result[name] = bench(quick)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{begun.replace(':', '')}{'-quick' if quick else ''}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{path}")


if __name__ == "__main__":
    main()
