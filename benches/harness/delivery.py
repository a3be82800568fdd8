"""One large medical or EF file as a delivery of its own, made of an invented population's many small ones.

A UKE file has one IR line at its head and one GO line at its end, which states receipts and points. The files of many
facilities become one by keeping the first IR and stating the sums in one GO. Persons and months differ throughout, so
no receipt occurs twice.
"""

import functools
import hashlib
import itertools
import re
import shutil

import measure
from places import cached, empty, program

SEED = 7
UKE, EF = "RECEIPTC_1.UKE", "EFn_1.txt"
# The fields have six and ten digits; a file with more receipts or points leaves them empty.
MOST_RECEIPTS, MOST_POINTS = 999_999, 9_999_999_999


def delivery(persons, months, size):
    """The folder of a delivery whose file has about `size` bytes."""
    name = f"medical-{persons}-persons-{months}-months-{size // 1_000_000}-mb-seed-{SEED}"
    return cached(name, "misu", lambda folder: make(folder, persons, months, size))


def medical(quick):
    """The delivery of the ingest bench, of its growth and of its size."""
    return delivery(*((20_000, 12, 64_000_000) if quick else (100_000, 34, 1_000_000_000)))


def shares(whole, target):
    """Deliveries with a quarter, a half and the whole of the file, as folders by share."""
    source = whole / UKE
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
    path = folder / UKE
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
        stated = [receipts if receipts <= MOST_RECEIPTS else "", points if points <= MOST_POINTS else ""]
        go = f"GO,{stated[0]},{stated[1]},99\r\n".encode()
        out.write(go)
        digest.update(go)
    return listed(path, "ndb", "ndb-medical", digest)


def listed(path, database, family, digest):
    """Writes the list of a delivery of one file; the size of the file."""
    size = path.stat().st_size
    (path.parent / "delivery.toml").write_text(f"""\
[delivery]
name = "bench"
database = "{database}"
holder = "bench"
month = "2023-04"

[[file]]
path = "{path.name}"
family = "{family}"
bytes = {size}
sha256 = "{digest.hexdigest()}"
""")
    return size


def over_again(whole, target, size):
    """A delivery whose file has the receipts of another over and over, up to about `size` bytes."""
    content = bodies([whole / UKE])
    head, receipts = next(content), next(content)
    write(empty(target), itertools.chain([head], itertools.repeat(receipts)), size)
    return target


def acts(persons, months, size):
    """The folder of a delivery whose inpatient EF file has about `size` bytes."""
    name = f"acts-{persons}-persons-{months}-months-{size // 1_000_000}-mb-seed-{SEED}"
    return cached(name, "misu", lambda folder: make_acts(folder, persons, months, size))


def make_acts(folder, persons, months, size):
    """The stays of a population, month by month and hospital by hospital; then of others who had the same done."""
    population = folder / "population"
    measure.quiet([program("misu"), "synth", "--persons", persons, "--months", months, "--seed", SEED, "--out",
                   population])
    paths = sorted(population.glob("deliveries/dpc-*/**/EFn_*.txt"))
    if not paths:
        raise SystemExit(f"{persons} persons and {months} months have no EF file")
    path, digest, written = folder / EF, hashlib.sha256(), 0
    with open(path, "wb") as out:
        for turn, source in ((turn, source) for turn in itertools.count() for source in paths):
            block = others(source.read_bytes(), turn) if turn else source.read_bytes()
            out.write(block)
            digest.update(block)
            written += len(block)
            if written >= size:
                break
    shutil.rmtree(population)
    listed(path, "dpc", "dpc-efn", digest)


def others(content, turn):
    """The same acts of other patients: each has another letter before the data id."""
    mark = b"\t" + chr(ord("A") + turn % 26).encode() * (1 + turn // 26)
    return b"\n".join(line.replace(b"\t", mark, 1) for line in content.split(b"\n"))


# A block that comes over and over is looked through once.
@functools.lru_cache(maxsize=1)
def count(block):
    return block.count(b"\r\nRE,") + block.startswith(b"RE,")


@functools.lru_cache(maxsize=1)
def charged(block):
    """The points of all HO lines."""
    return sum(int(found[1] or 0) for found in re.finditer(rb"\r\nHO,[^,]*,[^,]*,[^,]*,[^,]*,(\d*)", block))
