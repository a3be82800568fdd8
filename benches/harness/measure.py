"""Runs one command and says what it took.

    python measure.py LOG COMMAND…     prints the figures as JSON

It is a program of its own, since the peak that the system reports of a child is never below that of the process that
started it: the harness holds large files, this does not.
"""

import json
import os
import subprocess
import sys
import time


def run(command, log):
    """Seconds of wall time, seconds of processor time, and the peak resident memory of the command's largest process.

    What it says goes to the file `log`; a command that fails ends the bench.
    """
    return json.loads(quiet([sys.executable, __file__, log, *command]))


def quiet(command):
    """Runs a command and gives what it says; one that fails ends the bench."""
    found = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if found.returncode:
        raise SystemExit(f"{command[0]} ended with {found.returncode}:\n{found.stderr[-2000:]}")
    return found.stdout


def size(folder):
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(log, *command):
    with open(log, "wb") as out:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        with open(log, errors="replace") as said:
            raise SystemExit(f"{command} ended with {process.returncode}:\n{said.read()}")
    found = {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
