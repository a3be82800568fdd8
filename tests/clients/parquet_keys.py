"""PyArrow beside misu over encrypted Parquet, in test profiles: reads what misu wrote, and writes the same again.

Takes a folder, the key of the uniform files in hexadecimal digits, and the place that they are bound to; both are given
directly. Keys of columns come from a key service only; this one keeps nothing secret: it wraps a key as its digits.
Prints the rows that were read, one line each, and fails where a file can be read without keys or in another place.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

MASTER = "test-master"
FOLDER, KEY, PLACE = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3].encode()


class Hexadecimal(pe.KmsClient):
    def __init__(self, _configuration):
        super().__init__()

    def wrap_key(self, key_bytes, _master):
        return key_bytes.hex()

    def unwrap_key(self, wrapped_key, _master):
        return bytes.fromhex(wrapped_key if isinstance(wrapped_key, str) else wrapped_key.decode())


factory = pe.CryptoFactory(Hexadecimal)
connection = pe.KmsConnectionConfig(kms_instance_id="DEFAULT", kms_instance_url="DEFAULT")


def read(path, keys):
    with pq.ParquetFile(path, decryption_properties=keys) as file:
        return file.read()


def is_closed(path, keys):
    try:
        read(path, keys)
    except (OSError, pa.ArrowException):
        return True
    return False


def reading(kind):
    if kind == "uniform":
        return pe.create_decryption_properties(KEY, aad_prefix=PLACE)
    return factory.file_decryption_properties(connection, pe.DecryptionConfiguration())


def writing(kind, columns):
    if kind == "uniform":
        return pe.create_encryption_properties(KEY, aad_prefix=PLACE, store_aad_prefix=False)
    configuration = pe.EncryptionConfiguration(
        footer_key=MASTER, double_wrapping=False, column_keys={MASTER: columns}
    )
    return factory.file_encryption_properties(connection, configuration)


def write(path, table, keys):
    with pq.ParquetWriter(path, table.schema, encryption_properties=keys) as writer:
        writer.write_table(table)


uniform = FOLDER / "misu-uniform.parquet"
for prefix in (None, PLACE + b"2"):
    if not is_closed(uniform, pe.create_decryption_properties(KEY, aad_prefix=prefix)):
        sys.exit(f"{uniform.name} is read in the place {prefix}")
for kind in ("uniform", "columns"):
    source = FOLDER / f"misu-{kind}.parquet"
    if not is_closed(source, None):
        sys.exit(f"{source.name} is read without keys")
    table = read(source, reading(kind))
    for row in table.to_pylist():
        print(kind, *row.values())
    write(FOLDER / f"pyarrow-{kind}.parquet", table, writing(kind, table.column_names))
