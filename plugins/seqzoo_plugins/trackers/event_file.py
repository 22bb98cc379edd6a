"""Event files as TensorBoard reads them, without a package that writes them.

A file is a sequence of records (tensorflow/core/lib/io/record_writer.h): length, its checksum, an
Event, its checksum. An Event (tensorflow/core/util/event.proto) is a protocol buffer; of its fields
only the few that metrics and texts need are written here.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import time
from pathlib import Path

__all__ = ["EventFile"]


class EventFile:
    """A new file of events in a folder. Each event is in the file when the method returns."""

    def __init__(self, folder: Path, *, first_step: int) -> None:
        """first_step: of the events that follow; those of earlier files from there on are void."""
        folder.mkdir(parents=True, exist_ok=True)
        # Readers take the files of a folder in the order of their names.
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("xb")
        self._write(0, _text(3, "brain.Event:2"))
        self._write(first_step, _bytes(7, _integer(1, 1)))  # session_log: START

    def add_scalar(self, step: int, tag: str, value: float) -> None:
        """A point of a curve; the format has 32 bits for its value."""
        try:
            packed = struct.pack("<f", value)
        except OverflowError:
            packed = struct.pack("<f", math.copysign(math.inf, value))
        self._write_summary(step, _text(1, tag) + _key(2, 5) + packed)

    def add_text(self, step: int, tag: str, text: str) -> None:
        """A text, in which TensorBoard shows Markdown."""
        metadata = _bytes(1, _text(1, "text"))  # plugin_data: plugin_name
        shape = _bytes(2, _integer(1, 1))  # dim: size
        tensor = _integer(1, 7) + _bytes(2, shape) + _text(8, text)  # dtype: DT_STRING
        self._write_summary(step, _text(1, tag) + _bytes(8, tensor) + _bytes(9, metadata))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_summary(self, step: int, value: bytes) -> None:
        self._write(step, _bytes(5, _bytes(1, value)))

    def _write(self, step: int, what: bytes) -> None:
        event = _key(1, 1) + struct.pack("<d", time.time()) + _integer(2, step) + what
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))
        self._file.flush()


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _integer(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _varint(value: int) -> bytes:
    """Seven bits for each byte, the lowest first; the highest bit says that more follow."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _checksum(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted so that a checksum of checksums is not a special case."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli's polynomial, reversed
    return byte


_CRC = [_crc_of_byte(byte) for byte in range(256)]
