"""Writing bit fields, most significant bit first."""

from __future__ import annotations


class Bits:
    """A growing string of bits."""

    def __init__(self, bits: str = "") -> None:
        self.bits = bits

    @classmethod
    def of(cls, data: bytes) -> Bits:
        """Take the bits of bytes."""
        return cls(f"{int.from_bytes(data):0{8 * len(data)}b}" if data else "")

    def put(self, width: int, value: int) -> Bits:
        """Append a number; returns itself."""
        self.bits += f"{value:0{width}b}" if width else ""
        return self

    def put_bytes(self, data: bytes) -> Bits:
        """Append bytes wherever they come to lie; returns itself."""
        self.bits += Bits.of(data).bits
        return self

    def align(self) -> Bits:
        """Fill up the last byte with zeros; returns itself."""
        self.bits += "0" * (-len(self.bits) % 8)
        return self

    def __bytes__(self) -> bytes:
        """Return whole bytes, the last one filled up with zeros."""
        padded = self.bits + "0" * (-len(self.bits) % 8)
        return int(padded or "0", 2).to_bytes(len(padded) // 8)
