"""Where things lie: programs, cached data, results. Nothing is written into the tree."""

import os
import shutil
import sys
from pathlib import Path

CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = CACHES / "misu-bench"
RESULTS = CACHE / "results"
SCRATCH = CACHE / "scratch"
PEERS = Path(__file__).resolve().parent.parent / "peers"
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR") or CACHES / "misu-target") / "release"
PYTHON = sys.executable


def program(name):
    path = RELEASE / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; `make bench` builds it")
    return path


def cached(name, maker, make):
    """The folder `name` of the cache; `make(folder)` fills it unless the present build of `maker` has done so."""
    folder, built = CACHE / "data" / name, program(maker).stat()
    stamp, made_by = folder / "made-by", f"{maker} {built.st_size} {built.st_mtime_ns}\n"
    if not stamp.exists() or stamp.read_text() != made_by:
        empty(folder)
        print(f"making {name} …", file=sys.stderr, flush=True)
        make(folder)
        stamp.write_text(made_by)
    return folder


def empty(folder):
    """Makes the folder, or empties it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
