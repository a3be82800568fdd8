"""Growth: misu alone takes in files of 1, 4 and 10 GB, the larger ones the receipts of the first over again."""

import shutil

import delivery
import ingest
import table
from places import SCRATCH, empty

SIZES = (1_000_000_000, 4_000_000_000, 10_000_000_000)
QUICK = (64_000_000, 256_000_000, 640_000_000)


def run(quick):
    sizes = QUICK if quick else SIZES
    first = delivery.medical(quick)
    target = empty(SCRATCH.parent / "growth")
    measured = {}
    for size in sizes:
        folder = first if size == sizes[0] else delivery.over_again(first, target / "delivery", size)
        found = ingest.misu(folder)
        measured[str((folder / delivery.UKE).stat().st_size)] = {key: found[key] for key in KEPT}
    shutil.rmtree(target)
    show(measured)
    return measured


KEPT = ("seconds", "processor", "peak", "written")


def show(measured):
    """Each file with its time for each gigabyte, beside that of the first."""
    rows, first = [], None
    for size, found in measured.items():
        gigabytes = int(size) / 1e9
        each = found["processor"] / gigabytes
        first = first or each
        rows.append([table.megabytes(int(size)), f"{found['seconds']:.1f}", f"{found['seconds'] / gigabytes:.1f}",
                     f"{found['processor']:.1f}", f"{each:.1f}", f"{each / first:.2f}",
                     table.megabytes(found["peak"]), table.megabytes(found["written"])])
    table.show("Growth: misu alone, one run each", ["MB", "seconds", "for each GB", "processor", "for each GB",
                                                    "÷ the first", "peak MB", "written MB"], rows)
