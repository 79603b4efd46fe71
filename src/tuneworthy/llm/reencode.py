"""Converts the embedded model's weights from four to eight bits, which compute faster.

Its runtime has fast kernels for Q8_0 and none for Q4_1, the form of the shipped weights. The
conversion only rounds each weight to a 254th of the largest in its block of 32. The library that
reads and writes such files comes only with the extra ``pilot``, and its output around the numbers
differs by version; the file is identified by its digest. A file has a head (magic, version,
counts), fields, an entry for each tensor, and their numbers, each tensor at a multiple of 32 bytes.
Numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

_MAGIC = b"GGUF"
_HEAD = struct.Struct("<4sIQQ")
_ALIGNMENT = 32  # bytes
_BLOCK = 32  # numbers that share a scale

_FIELD_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the number of its type, where all values of the type take as many."""
_TEXT = 8
_ARRAY = 9

_F32 = 0
_Q4_1 = 3
_Q8_0 = 8
_BYTES_OF_BLOCK = {_F32: 4 * _BLOCK, _Q4_1: 20, _Q8_0: 34}

_FILE_TYPE = b"general.file_type"
_MOSTLY_Q8_0 = 7


class _Tensor(NamedTuple):
    """An entry of the table of tensors."""

    name: bytes
    sizes: tuple[int, ...]
    kind: int
    offset: int  #: Bytes from where the numbers begin.

    @property
    def blocks(self) -> int:
        numbers = 1
        for size in self.sizes:
            numbers *= size
        return numbers // _BLOCK

    def bytes_as(self, kind: int) -> int:
        return self.blocks * _BYTES_OF_BLOCK[kind]


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def number(self, code: str) -> Any:
        """Read a number; ``code`` is its type in Python's ``struct``."""
        (value,) = struct.unpack_from(f"<{code}", self.data, self.at)
        self.at += struct.calcsize(f"<{code}")
        return value

    def text(self) -> bytes:
        size = self.number("Q")
        begin = self.at
        self.at += size
        return bytes(self.data[begin : self.at])

    def skip_value(self, kind: int) -> None:
        """Move past one value of the file; its type says how many bytes it takes."""
        if kind == _TEXT:
            self.text()
        elif kind == _ARRAY:
            item_kind = self.number("I")
            items = self.number("Q")
            if item_kind in _FIELD_BYTES:
                self.at += items * _FIELD_BYTES[item_kind]
                return
            for _ in range(items):
                self.skip_value(item_kind)
        else:
            self.at += _FIELD_BYTES[kind]

    def tensor(self) -> _Tensor:
        name = self.text()
        many = self.number("I")
        sizes = tuple(self.number("Q") for _ in range(many))
        kind = self.number("I")
        return _Tensor(name, sizes, kind, self.number("Q"))


def reencode(source: bytes, target: IO[bytes]) -> None:
    """Write a file of weights with each Q4_1 tensor as Q8_0, and everything else unchanged.

    The source has to be a file with a known digest: nothing in it is checked here.
    """
    view = memoryview(source)
    reader = _Reader(view)
    _, version, tensors, fields = _HEAD.unpack_from(view)
    reader.at = _HEAD.size
    target.write(_HEAD.pack(_MAGIC, version, tensors, fields))
    for _ in range(fields):
        target.write(_field(reader))
    table = [reader.tensor() for _ in range(tensors)]
    _write_table(table, target)
    numbers_begin = reader.at + _padding(reader.at)
    for tensor in table:
        first = numbers_begin + tensor.offset
        numbers: bytes | memoryview = view[first : first + tensor.bytes_as(tensor.kind)]
        if tensor.kind == _Q4_1:
            numbers = _as_q8_0(_read_q4_1(numbers))
        target.write(numbers)
        target.write(bytes(_padding(target.tell())))


def _write_table(table: Iterable[_Tensor], target: IO[bytes]) -> None:
    """Write the entries of all tensors, whose numbers begin elsewhere now."""
    offset = 0
    for tensor in table:
        kind = _kind_after(tensor)
        target.write(_entry(tensor, kind, offset))
        offset += tensor.bytes_as(kind)
        offset += _padding(offset)
    target.write(bytes(_padding(target.tell())))


def _field(reader: _Reader) -> bytes:
    """Copy a field, except the one that names the encoding of most weights."""
    begin = reader.at
    name = reader.text()
    kind = reader.number("I")
    value_at = reader.at
    reader.skip_value(kind)
    if name == _FILE_TYPE:
        return bytes(reader.data[begin:value_at]) + struct.pack("<I", _MOSTLY_Q8_0)
    return bytes(reader.data[begin : reader.at])


def _kind_after(tensor: _Tensor) -> int:
    return _Q8_0 if tensor.kind == _Q4_1 else tensor.kind


def _entry(tensor: _Tensor, kind: int, offset: int) -> bytes:
    """The bytes of a tensor's entry: its name, its sizes, its type, and where its numbers begin."""
    dimensions = len(tensor.sizes)
    name = struct.pack("<Q", len(tensor.name)) + tensor.name
    rest = struct.pack(f"<I{dimensions}QIQ", dimensions, *tensor.sizes, kind, offset)
    return name + rest


def _padding(at: int) -> int:
    """The bytes from a place to the next multiple of the alignment."""
    return -at % _ALIGNMENT


def _read_q4_1(numbers: bytes | memoryview) -> npt.NDArray[np.float32]:
    """Decode blocks of a scale, a lowest value and 32 steps of four bits: a row each, in float32."""
    blocks = np.frombuffer(numbers, np.uint8).reshape(-1, _BYTES_OF_BLOCK[_Q4_1])
    # two numbers of two bytes come first
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    least = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
    steps = blocks[:, 4:]
    # the low halves of the bytes are the first sixteen numbers
    both = np.concatenate([steps & 15, steps >> 4], axis=1)
    return both.astype(np.float32) * scale + least


def _as_q8_0(rows: npt.NDArray[np.float32]) -> bytes:
    """Encode rows as blocks of a scale and 32 numbers of eight bits, each rounded to the nearest."""
    # the largest number of a block becomes 127 or -127
    scale = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore"):  # a block of noughts has no scale
        inverse = np.where(scale == 0, np.float32(0), np.float32(1) / scale)
    steps = rows * inverse
    # a half is rounded away from nought, as the runtime does it
    rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int8)
    blocks = np.empty((len(rows), _BYTES_OF_BLOCK[_Q8_0]), np.uint8)
    blocks[:, :2] = scale.astype("<f2").view(np.uint8)
    blocks[:, 2:] = rounded.view(np.uint8)
    return blocks.tobytes()
