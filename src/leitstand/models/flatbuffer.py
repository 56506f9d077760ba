"""A reader of FlatBuffers tables: just what it takes to read a model file as data.

Every offset is checked against the buffer, so a broken file ends in ConversionError and not in
reading elsewhere (format: FlatBuffers "Internals" page, google/flatbuffers).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from leitstand.models.onnxgraph import Array, ConversionError


class Table:
    """A table in a buffer; fields are asked for by their number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._fields = position - int(_read(data, "<i", position))
        self._size = int(_read(data, "<H", self._fields))

    @classmethod
    def root(cls, data: bytes, identifier: bytes) -> Table:
        """The root table of a file that carries this identifier. Raises ConversionError."""
        if data[4:8] != identifier:
            raise ConversionError(f"not a {identifier.decode('ascii')} file")
        return cls(data, int(_read(data, "<I", 0)))

    def number(self, field: int, form: str, default: float = 0) -> Any:
        """A scalar; `form` is a struct letter, such as `b` for int8 or `f` for float32."""
        place = self._place(field)
        return default if place is None else _read(self._data, "<" + form, place)

    def table(self, field: int) -> Table | None:
        place = self._place(field)
        return None if place is None else Table(self._data, self._follow(place))

    def text(self, field: int) -> str:
        return bytes(self.vector(field, np.dtype(np.uint8))).decode("utf-8")

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        start, count = self._vector(field)
        places = [start + 4 * index for index in range(count)]
        return [Table(self._data, self._follow(place)) for place in places]

    def vector(self, field: int, dtype: np.dtype[Any]) -> Array:
        """A vector of numbers, empty where the field is absent."""
        start, count = self._vector(field)
        end = start + count * dtype.itemsize
        if end > len(self._data):
            raise ConversionError("a vector reaches beyond the file")
        return np.frombuffer(self._data[start:end], dtype.newbyteorder("<"))

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._size:
            return None
        offset = int(_read(self._data, "<H", self._fields + entry))
        return self._position + offset if offset else None

    def _follow(self, place: int) -> int:
        return place + int(_read(self._data, "<I", place))

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self._follow(place)
        return start + 4, int(_read(self._data, "<I", start))


def _read(data: bytes, form: str, place: int) -> Any:
    try:
        return struct.unpack_from(form, data, place)[0] if place >= 0 else _outside()
    except struct.error:
        return _outside()


def _outside() -> Any:
    raise ConversionError("an offset points outside the file")
