"""BitString: PostgreSQL's bit and bit varying.

Source: https://www.postgresql.org/docs/current/datatype-bit.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["BitString"]


class BitString:
    """Bits, the first the highest. It cannot be changed, and compares as what it holds.

    Arguments:
        bits: 0 and 1 as text; spaces between them are left out.

    Raises:
        ValueError: there is another character in it.
    """

    __slots__ = ("_bytes", "_length")
    _bytes: bytes
    _length: int

    def __init__(self, bits: str = "") -> None:
        digits = bits.replace(" ", "")
        if digits.strip("01"):
            raise ValueError(f"expected 0 and 1, got {bits[:100]!r}")
        size = (len(digits) + 7) // 8
        # Eight at a time: int(digits, 2) of all of them is linear too, and this needs no shift of it.
        padded = digits.ljust(size * 8, "0")
        self._bytes = int(padded, 2).to_bytes(size, "big") if size else b""
        self._length = len(digits)

    @classmethod
    def frombytes(cls, data: bytes = b"", bitlength: int | None = None) -> BitString:
        """The bits of bytes, or the first so many of them.

        Raises:
            ValueError: there are not so many, or a byte that is not needed.
        """
        length = len(data) * 8 if bitlength is None else bitlength
        if length < 0 or (length + 7) // 8 != len(data):
            raise ValueError(f"expected the bytes of {length} bits, got {len(data)}")
        made = cls.__new__(cls)
        if length % 8:
            data = data[:-1] + bytes([data[-1] & (0xFF00 >> length % 8) & 0xFF])
        made._bytes = bytes(data)
        made._length = length
        return made

    @classmethod
    def from_int(cls, value: int, length: int) -> BitString:
        """So many bits of a number that is not negative.

        Raises:
            ValueError: it needs more.
        """
        if value < 0 or value.bit_length() > length:
            raise ValueError(f"expected a number of {length} bits without a sign")
        size = (length + 7) // 8
        return cls.frombytes((value << (size * 8 - length)).to_bytes(size, "big"), length)

    @property
    def bytes(self) -> bytes:
        """The bits in bytes; those that the last has over are 0."""
        return self._bytes

    def as_string(self) -> str:
        """0 and 1."""
        return f"{int.from_bytes(self._bytes, 'big'):0{len(self._bytes) * 8}b}"[: self._length]

    def to_int(self) -> int:
        """The number that the bits are, without a sign."""
        return int.from_bytes(self._bytes, "big") >> (len(self._bytes) * 8 - self._length)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return BitString(self.as_string()[at])
        place = at + self._length if at < 0 else at
        if not 0 <= place < self._length:
            raise IndexError(f"there are {self._length} bits, and none at {at}")
        return self._bytes[place // 8] >> (7 - place % 8) & 1

    def __iter__(self) -> Iterator[int]:
        return (int(digit) for digit in self.as_string())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self._length, self._bytes) == (other._length, other._bytes)

    def __hash__(self) -> int:
        return hash((self._length, self._bytes))

    def __json_data__(self) -> str:
        """What it is in JSON (`fastweb.encoders`): its text, as in `fetch_json`."""
        return self.as_string()

    def __str__(self) -> str:
        return self.as_string()

    def __repr__(self) -> str:
        return f"BitString({self.as_string()!r})"
