"""Every format written by hand, from its description, and files damaged in many ways."""

import gzip
import io
import json
import os
import struct
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
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


def parquet_struct(path, rows):
    fields = [pa.array(column) for column in rows.T]
    struct = pa.StructArray.from_arrays(fields, [f"f{place}" for place in range(rows.shape[1])])
    pq.write_table(pa.table({"emb": struct}), path, row_group_size=7)


def parquet_struct_of_lists(path, rows):
    struct = pa.StructArray.from_arrays([pa.array(["a"] * len(rows)), pa.array(list(rows))], ["model", "values"])
    pq.write_table(pa.table({"emb": struct}), path, row_group_size=7)


def parquet_dimensions(path, rows):
    columns = {f"dim_{place}": column for place, column in enumerate(rows.T)}
    pq.write_table(pa.table({"id": range(len(rows)), **columns}), path, row_group_size=7)


def arrow(path, rows):
    table = pa.table({"id": [str(i) for i in range(len(rows))], "emb": pa.array(list(rows))})
    with pa.OSFile(os.fsencode(path).decode(), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def arrow_stream(path, rows):
    """As Hugging Face's datasets write."""
    table = pa.table({"emb": pa.array(list(rows))})
    with pa.OSFile(os.fsencode(path).decode(), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def feather(path, rows):
    pyarrow.feather.write_feather(pa.table({"emb": pa.array(list(rows))}), path, compression="zstd")


SAFETENSORS = {"f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "u1": "U8", "i4": "I32"}


def safetensors(path, rows, kind=None):
    kind = kind or SAFETENSORS[rows.dtype.str[1:]]
    entry = {"dtype": kind, "shape": rows.shape, "data_offsets": [0, rows.nbytes]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "emb": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + rows.tobytes())


def bins_64(path, rows):
    """With cuVS's header of 64 bits."""
    path.write_bytes(struct.pack("<QQ", *rows.shape) + rows.tobytes())


def json_lists(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows.tolist()))


def json_objects(path, rows):
    lines = [json.dumps({"id": place, "embedding": row, "tags": ["a"]}) for place, row in enumerate(rows.tolist())]
    path.write_text("\n".join(lines), encoding="utf-8-sig")


def json_packed(path, rows):
    json_lists(path, rows)
    path.write_bytes(gzip.compress(path.read_bytes()))


def csv_plain(path, rows):
    np.savetxt(path, rows, delimiter=",")


def csv_frame(path, rows):
    """With a header and an index, which pandas writes."""
    pd.DataFrame(rows).to_csv(path)


def csv_named(path, rows):
    columns = {f"emb_{place}": column for place, column in enumerate(rows.T)}
    pd.DataFrame({"id": range(len(rows)), "text": "a, b", **columns}).to_csv(path, index=False)


def csv_lists(path, rows):
    pd.DataFrame({"text": "a, b", "embedding": rows.tolist()}).to_csv(path, index=False)


def tsv(path, rows):
    np.savetxt(path, rows, delimiter="\t", header="\t".join("abcdefgh"[: rows.shape[1]]), comments="")


def csv_packed(path, rows):
    pd.DataFrame(rows).to_csv(path, index=False, compression="gzip")


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
    "fbin, 64 bits": (".fbin", bins_64, "f4"),
    "f16bin": (".f16bin", bins, "f2"),
    "hbin": (".hbin", bins, "f2"),
    "u8bin": (".u8bin", bins, "u1"),
    "i8bin": (".i8bin", bins, "i1"),
    "ibin": (".ibin", bins, "i4"),
    "parquet": (".parquet", parquet_lists, "f2 f4 f8 i1 u1"),
    "parquet, fixed size": (".parquet", parquet_fixed, "f4 f8 u1"),
    "parquet, struct": (".parquet", parquet_struct, "f4 f8 u1"),
    "parquet, struct of lists": (".parquet", parquet_struct_of_lists, "f4"),
    "parquet, dimensions": (".parquet", parquet_dimensions, "f2 f4 f8 u1"),
    "arrow": (".arrow", arrow, "f2 f4 u1"),
    "arrow, stream": (".arrow", arrow_stream, "f4 f8"),
    "feather": (".feather", feather, "f4 i1"),
    "safetensors": (".safetensors", safetensors, "f2 f4 f8 i1 u1 i4"),
    "json, lists": (".jsonl", json_lists, "f4"),
    "json, objects": (".ndjson", json_objects, "f4"),
    "json, packed": (".jsonl", json_packed, "f4"),
    "csv": (".csv", csv_plain, "f4"),
    "csv, frame": (".csv", csv_frame, "f4"),
    "csv, named": (".csv", csv_named, "f4"),
    "csv, lists": (".csv", csv_lists, "f4"),
    "csv, packed": (".csv", csv_packed, "f4"),
    "tsv": (".tsv", tsv, "f4"),
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
