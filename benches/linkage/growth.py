"""The growth of linking, as a table: growth.py PROGRAMS BENCHES_LINKAGE FOLDER [MILLIONS…] (by default 1 10 40).

For each size `misu-ingest link` links four identities a person in an environment of its own, and `benches-linkage` the
same number of records beside pandas and scipy. Everything is made in FOLDER, an empty one, and removed again.
PROGRAMS is the build's release folder, with misu-ingest and examples/stage_identities.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MEASURE = HERE.parent / "harness" / "measure.py"


def said(command):
    """What a command prints."""
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(programs, env, persons):
    """Seconds, bytes a record and the share of keying in percent, of `misu link` of four identities a person."""
    ingest, log = programs / "misu-ingest", env.with_suffix(".log")
    said([ingest, "init", env, "--demo-seed", 1])
    records = int(said([programs / "examples" / "stage_identities", persons, env]))
    found = json.loads(said([sys.executable, MEASURE, log, ingest, "link", "--env", env]))
    text = log.read_text()
    of, = re.findall(r"of (\d+) persons", text)
    if int(of) != persons:
        raise SystemExit(f"{of} persons were found for {persons}")
    share = re.search(r"took (\d+) %", text)
    shutil.rmtree(env)
    log.unlink()
    return found["seconds"], found["peak"] / records, share.group(1) if share else "-"


def beside(bench, folder, persons):
    """What the exact linkage and its peer say of the same keys."""
    keys = folder / "keys.bin"
    own = json.loads(said([bench, persons, keys]))
    peer = json.loads(said([sys.executable, HERE / "scipy_peer.py", keys]))
    keys.unlink()
    if own["groups"] != peer["groups"]:
        raise SystemExit(f"{own['groups']} groups beside {peer['groups']}")
    return own, peer


def main():
    programs, bench, folder = (pathlib.Path(part).resolve() for part in sys.argv[1:4])
    print("| million records | `misu link` | bytes a record | of it keying | exact | bytes a record | of it hashing "
          "| pandas and scipy | ratio |")
    print("| --- " * 9 + "|")
    for millions in [float(size) for size in sys.argv[4:]] or [1, 10, 40]:
        persons = int(millions * 250_000)
        seconds, peak, share = linked(programs, folder / "env", persons)
        own, peer = beside(bench, folder, persons)
        print(f"| {millions:g} | {seconds:.1f} s | {peak:.0f} | {share} % | {own['link_s']:.2f} s "
              f"| {own['peak_bytes_per_record']:.1f} | {100 * own['hash_share']:.0f} % | {peer['link_s']:.1f} s "
              f"| {peer['link_s'] / max(own['link_s'], 0.01):.1f} |", flush=True)


if __name__ == "__main__":
    main()
