"""The job that every peer of the EF bench does, each in its own way.

In:   one inpatient EF file of the DPC survey (CP932, tabs, CRLF, no heading): acts and their details. A stay is the run of
      lines with the same facility, data id and day of admission.
Check: 31 fields in each line; another number ends the job.
Out:  two tables as Parquet, zstd level 1. `stay` is the number of the stay within the file and `line` that of the line,
      both from 1; an empty field is null; days stay the digits that they are.

      stay    stay, admission_date, discharge_date, id, key
      act     stay, line, and the fields of ACT; the name of the act is dropped

      id  = HMAC-SHA-256(key, facility | data id)
      key = HMAC-SHA-256(key, facility | data id | day of admission), both 32 bytes over UTF-8

What misu does beyond this stands in ../README.md.
"""

FIELDS = 31
FACILITY, DATA_ID, DISCHARGE, ADMISSION = 0, 1, 2, 3

# The fields of an act: where each stands, from 0, and what it becomes.
ACT = {
    "performed_date": (23, int), "data_category": (4, str), "sequence_no": (5, str), "detail_no": (6, str),
    "receipt_code": (8, str), "quantity": (11, float), "base_unit": (12, str), "detail_amount": (13, float),
    "yen_point_flag": (14, str), "ffs_points": (15, int), "detail_flags": (16, str), "act_points": (17, int),
    "act_drug_fee": (18, int), "act_material_fee": (19, int), "act_count": (20, int), "receipt_type_code": (22, str),
    "department": (25, str), "ward_class": (28, str),
}
