"""A peer on two processes: each reads one half of the file."""

import multiprocessing


def read_both(read, halves):
    """Calls `read` with the arguments of each half in a process of its own; one that fails ends the job."""
    workers = [multiprocessing.Process(target=read, args=half) for half in halves]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a half could not be read")
