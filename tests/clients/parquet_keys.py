"""PyArrow beside misu over encrypted Parquet, in a test profile: reads what misu wrote, and writes the same again.

Takes a folder. The key service of this profile keeps nothing secret: it wraps a key as its hexadecimal digits. Prints
the rows that were read, one line each, and fails where a file can be read without keys.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

MASTER = "test-master"


class Hexadecimal(pe.KmsClient):
    def __init__(self, _configuration):
        super().__init__()

    def wrap_key(self, key_bytes, _master):
        return key_bytes.hex()

    def unwrap_key(self, wrapped_key, _master):
        return bytes.fromhex(wrapped_key if isinstance(wrapped_key, str) else wrapped_key.decode())


factory = pe.CryptoFactory(Hexadecimal)
connection = pe.KmsConnectionConfig(kms_instance_id="DEFAULT", kms_instance_url="DEFAULT")


def read(path):
    keys = factory.file_decryption_properties(connection, pe.DecryptionConfiguration())
    with pq.ParquetFile(path, decryption_properties=keys) as file:
        return file.read()


def write(path, table, kind):
    how = {"uniform": {"uniform_encryption": True}, "columns": {"column_keys": {MASTER: table.column_names}}}[kind]
    configuration = pe.EncryptionConfiguration(footer_key=MASTER, double_wrapping=False, **how)
    keys = factory.file_encryption_properties(connection, configuration)
    with pq.ParquetWriter(path, table.schema, encryption_properties=keys) as writer:
        writer.write_table(table)


folder = Path(sys.argv[1])
for kind in ("uniform", "columns"):
    source = folder / f"misu-{kind}.parquet"
    try:
        pq.read_table(source)
        sys.exit(f"{source.name} is read without keys")
    except (OSError, pa.ArrowException):
        pass
    table = read(source)
    for row in table.to_pylist():
        print(kind, *row.values())
    write(folder / f"pyarrow-{kind}.parquet", table, kind)
