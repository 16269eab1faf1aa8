"""Every format written by hand, from its description."""

import io
import struct

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


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
