"""Every format written by hand, from its description, and files damaged in many ways."""

import io
import struct
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def npy(path, rows):
    np.save(path, rows)


def npz(path, rows):
    np.savez(path, base=rows)


def npz_compressed(path, rows):
    np.savez_compressed(path, rows)


def npy_fortran(path, rows):
    np.save(path, np.asfortranarray(rows))


def npz_fortran(path, rows):
    np.savez(path, base=np.asfortranarray(rows))


def hdf5(path, rows):
    with h5py.File(path, "w") as file:
        file["train"] = rows


def hdf5_chunked(path, rows):
    with h5py.File(path, "w") as file:
        file.create_dataset("train", data=rows, chunks=(3, 2), compression="gzip")


def vecs(path, rows):
    path.write_bytes(b"".join(struct.pack("<i", rows.shape[1]) + row.tobytes() for row in rows))


def bins(path, rows):
    path.write_bytes(struct.pack("<II", *rows.shape) + rows.tobytes())


def parquet_lists(path, rows):
    table = pa.table({"id": [str(i) for i in range(len(rows))], "emb": pa.array(list(rows))})
    pq.write_table(table, path, row_group_size=7)


def parquet_fixed(path, rows):
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    pq.write_table(pa.table({"emb": values}), path, row_group_size=7)


# name: suffix, writer, types that it can hold
WRITERS = {
    "npy": (".npy", npy, "f2 f4 f8 >f4 i1 u1 i4"),
    "npy, columns first": (".npy", npy_fortran, "f4 u1"),
    "npz": (".npz", npz, "f2 f4 f8 i1 u1"),
    "npz, compressed": (".npz", npz_compressed, "f4"),
    "npz, columns first": (".npz", npz_fortran, "f4 u1"),
    "hdf5": (".hdf5", hdf5, "f2 f4 f8 i1 u1"),
    "hdf5, chunked": (".h5", hdf5_chunked, "f4 i1"),
    "fvecs": (".fvecs", vecs, "f4"),
    "bvecs": (".bvecs", vecs, "u1"),
    "ivecs": (".ivecs", vecs, "i4"),
    "fbin": (".fbin", bins, "f4"),
    "u8bin": (".u8bin", bins, "u1"),
    "i8bin": (".i8bin", bins, "i1"),
    "ibin": (".ibin", bins, "i4"),
    "parquet": (".parquet", parquet_lists, "f2 f4 f8 i1 u1"),
    "parquet, fixed size": (".parquet", parquet_fixed, "f4 f8 u1"),
}


def objects(path, rows):
    """A .npz whose one member is a pickle."""
    stream = io.BytesIO()
    np.savez(stream, base=np.array([rows, None], dtype=object))
    path.write_bytes(stream.getvalue())


def written(folder, name, rows):
    suffix, write, _ = WRITERS[name]
    path = folder / f"x{suffix}"
    write(path, rows)
    return path


ROWS = np.arange(40, dtype=np.float32).reshape(10, 4)


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def hdf5_with(path, data=ROWS, name="train", **attributes):
    with h5py.File(path, "w") as file:
        file[name] = data
        file.attrs.update(attributes)


def hdf5_of_groups(path):
    with h5py.File(path, "w") as file:
        file["a/b"], file["c"], file["count"] = ROWS, ROWS, 3


def parquet_with(path, **columns):
    pq.write_table(pa.table(columns), path)


def uneven(path, more=b""):
    path.write_bytes(struct.pack("<i2f", 2, 0, 0) * 13 + struct.pack("<i3f", 3, 0, 0, 0) + more)


def cut_in_half(path, name):
    WRITERS[name][1](path, ROWS)
    cut(path, path.stat().st_size // 2)


def flip(path, write, before, place):
    """Writes ROWS, then sets a byte so far behind the last of such bytes to one that nothing states."""
    write(path, ROWS)
    content = bytearray(path.read_bytes())
    content[content.rindex(before) + place] = 0xFF
    path.write_bytes(content)


def restated(path, write, old, new):
    write(path, ROWS)
    path.write_bytes(path.read_bytes().replace(old, new))


def minus_rows(path):
    """A .npz file with a whole member whose header states a negative number of rows."""
    restated(path.with_suffix(".npy"), npy, b"(10, 4)", b"(-9, 4)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".npy"), "base.npy")


def encrypted(path):
    flip(path, npz, b"PK\x01\x02", 8)


def hollow(path):
    """A .npz file without 4 kB in its middle."""
    npz(path, np.zeros((2000, 4), np.float32))
    content = path.read_bytes()
    path.write_bytes(content[:8000] + content[12096:])


def flipped(path, write):
    """Writes ROWS, then changes a byte in the middle of the values."""
    write(path, ROWS)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))
