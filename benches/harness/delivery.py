"""One large medical file as a delivery of its own, made of an invented population's many small ones.

A UKE file has one IR line at its head and one GO line at its end, which states receipts and points. The files of many
facilities become one by keeping the first IR and stating the sums in one GO. Persons and months differ throughout, so
no receipt occurs twice.
"""

import hashlib
import shutil

import measure
from places import cached, program

SEED = 7
# The field has six digits; a file with more receipts leaves it empty.
MOST_STATED = 999_999


def delivery(persons, months, size):
    """The folder of a delivery whose file has about `size` bytes."""
    name = f"medical-{persons}-persons-{months}-months-{size // 1_000_000}-mb-seed-{SEED}"
    return cached(name, "misu", lambda folder: make(folder, persons, months, size))


def shares(whole, target):
    """Deliveries with a quarter, a half and the whole of the file, as folders by share."""
    source = whole / "RECEIPTC_1.UKE"
    lengths = {share: int(source.stat().st_size * share) for share in (0.25, 0.5)}
    folders = {}
    for share, length in lengths.items():
        folders[share] = target / f"share-{share}"
        folders[share].mkdir(parents=True)
        write(folders[share], bodies([source]), length)
    return folders | {1.0: whole}


def make(folder, persons, months, size):
    population = folder / "population"
    measure.quiet([program("misu"), "synth", "--persons", persons, "--months", months, "--seed", SEED, "--out",
                   population])
    found = write(folder, bodies(sorted(population.glob("deliveries/ndb-*/*/RECEIPTC_*.UKE"))), size)
    shutil.rmtree(population)
    if found < size:
        raise SystemExit(f"{persons} persons and {months} months give {found} bytes, {size} were wanted")


def bodies(paths):
    """The receipts of all files, after the first file's IR line."""
    for number, path in enumerate(paths):
        content = path.read_bytes()
        head, tail = content.index(b"\r\n") + 2, content.rindex(b"\r\n", 0, -2) + 2
        if not content.startswith(b"IR,") or not content.startswith(b"GO,", tail):
            raise SystemExit(f"{path} is not framed by IR and GO")
        if number == 0:
            yield content[:head]
        yield content[head:tail]


def write(folder, blocks, size):
    """Writes blocks up to the first receipt that begins after `size` bytes, the GO line, and the list of files."""
    path = folder / "RECEIPTC_1.UKE"
    written, receipts, points, digest = 0, 0, 0, hashlib.sha256()
    with open(path, "wb") as out:
        for block in blocks:
            end = block.find(b"\r\nRE,", max(size - written, 0)) if written + len(block) > size else -1
            block = block if end < 0 else block[:end + 2]
            receipts, points = receipts + count(block), points + charged(block)
            out.write(block)
            digest.update(block)
            written += len(block)
            if written >= size:
                break
        stated = receipts if receipts <= MOST_STATED else ""
        go = f"GO,{stated},{points},99\r\n".encode()
        out.write(go)
        digest.update(go)
    (folder / "delivery.toml").write_text(f"""\
[delivery]
name = "bench"
database = "ndb"
holder = "bench"
month = "2023-04"

[[file]]
path = "{path.name}"
family = "ndb-medical"
bytes = {path.stat().st_size}
sha256 = "{digest.hexdigest()}"
""")
    return path.stat().st_size


def count(block):
    return block.count(b"\r\nRE,") + block.startswith(b"RE,")


def charged(block):
    """The points of all HO lines."""
    return sum(int(line.split(b",", 6)[5] or 0) for line in block.split(b"\r\n") if line.startswith(b"HO,"))
