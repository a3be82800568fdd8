"""The job that every peer of the ingest bench does, each in its own way.

In:   one UKE file (medical receipts, CP932, CRLF). A line is a record, its first field says which; a receipt is the
      run of lines from RE to the next RE or GO.
Check: the number of fields of each RE 38, HO 15, SY 8, SI 44, IY 44, CO 5; another number ends the job.
Out:  five tables as Parquet, zstd level 1. `receipt` is the number of the receipt within the file, from 1;
      `service_month` is the receipt's; an empty field is null; months and days stay the digits that they are.

      receipt    receipt, service_month, receipt_type, admission_date, service_days, total_points, copay_amount,
                 meal_amount, id1, id2                                             from RE and HO
      diagnosis  receipt, service_month, disease_code, start_date, outcome, modifier_codes, main_disease   from SY
      procedure  receipt, service_month, service_class, code, quantity, points, times                      from SI
      drug       receipt, service_month, service_class, code, quantity, points, times                      from IY
      comment    receipt, service_month, service_class, code                       from CO; its text is dropped

      id1 = HMAC-SHA-256(key, insurer number | symbol | number | birth date | sex)
      id2 = HMAC-SHA-256(key, name | birth date | sex), both 32 bytes over UTF-8

What misu does beyond this stands in ../README.md.
"""

import subprocess
import sys
from pathlib import Path

KEY = bytes(range(32))
COLUMNS = {"RE": 38, "HO": 15, "SY": 8, "SI": 44, "IY": 44, "CO": 5}
THREADS = 2

# Where the fields stand, from 0.
RECEIPT = {"receipt_type": 2, "service_month": 3, "name": 4, "sex": 5, "birth": 6, "admission_date": 8}
INSURER = {"insurer": 1, "symbol": 2, "number": 3, "service_days": 4, "total_points": 5, "meal_amount": 8,
           "copay_amount": 11}


def arguments():
    """The file to read and the folder to write to."""
    source, target = map(Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    return source, target


def to_utf8(source, target, heading=None):
    """For those that cannot read CP932: iconv, within the measured time."""
    with open(target, "wb") as out:
        if heading:
            out.write(heading.encode() + b"\n")
            out.flush()
        subprocess.run(["iconv", "-f", "CP932", "-t", "UTF-8", source], stdout=out, check=True)
    return target
