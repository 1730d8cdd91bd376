"""Functions of a loaded library, found and replaced by their machine code."""

import ctypes
import mmap
from dataclasses import dataclass
from pathlib import Path

_READ, _WRITE, _EXECUTE = 1, 2, 4
_PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class UnknownCodeError(Exception):
    """A library does not have the code that is to be replaced."""


@dataclass(frozen=True)
class Function:
    """A function, known by how its code begins.

    Attributes:
        name: What the source calls it.
        code: Its first bytes, which nothing else in the library has.
    """

    name: str
    code: bytes

    def find(self, library):
        """Its place in the library's file, in bytes.

        Raises:
            UnknownCodeError: There is no such code, or more than one.
        """
        with Path(library).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=_READ) as content:
            place = content.find(self.code)
            if place < 0 or content.find(self.code, place + 1) >= 0:
                count = "nowhere" if place < 0 else "more than once"
                raise UnknownCodeError(f"{library} has the code of {self.name} {count}")
            return place

    def address(self, library, place):
        """Its address in this process.

        Raises:
            UnknownCodeError: Its code is not at this place of the library.
        """
        address = _mapped(library, place)
        if address is None or ctypes.string_at(address, len(self.code)) != self.code:
            raise UnknownCodeError(f"{library} does not have {self.name} at {place}")
        return address


def _mapped(library, place):
    """Where this process runs what is at a place of a file; None if it does not."""
    with Path("/proc/self/maps").open(encoding="utf-8") as maps:
        for line in maps:
            span, rights, offset, _, _, *path = line.split(maxsplit=5)
            if "x" not in rights or not path or path[0].strip() != library:
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            address = start + place - int(offset, 16)
            if start <= address < end:
                return address
    return None


def overwrite(address, code):
    """Replace code; no thread may be running it."""
    first = address & -_PAGE
    size = address + len(code) - first
    _protect(first, size, _READ | _WRITE | _EXECUTE)
    ctypes.memmove(address, code, len(code))
    _protect(first, size, _READ | _EXECUTE)


def place(code):
    """Put code into memory of its own; returns its address."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    size = -(-len(code) // _PAGE) * _PAGE
    address = _libc.mmap(None, size, _READ | _WRITE, flags, -1, 0)
    if address in {None, ctypes.c_void_p(-1).value}:
        raise OSError(ctypes.get_errno(), "mmap")
    ctypes.memmove(address, code, len(code))
    _protect(address, size, _READ | _EXECUTE)
    return address


def _protect(address, size, rights):
    if _libc.mprotect(address, size, rights):
        raise OSError(ctypes.get_errno(), "mprotect")
