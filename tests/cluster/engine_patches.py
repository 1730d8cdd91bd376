"""What a replica needs and chDB leaves out, put into the engine of this process.

A real server tells the engine under which address other replicas fetch parts from it; chDB does
not, and so a replica does not start. Nor can a session of chDB ask for an intermediate result,
which the other servers of a cluster do. Both are mended in the machine code, which is known for
one version of chDB on x86-64.
"""

import importlib
import importlib.metadata
import os
import platform
import struct

from tests.cluster import machine_code
from tests.cluster.machine_code import Function, UnknownCodeError

VERSION = "26.9.0"

_ADDRESS = Function(
    "Context::getInterserverIOAddress", bytes.fromhex("4156534883ec484c8b36490fbe8e67010000")
)
_SCHEME = Function("Context::getInterserverScheme", bytes.fromhex("488b0680b8870100000078"))
_CREDENTIALS = Function(
    "Context::getInterserverCredentials", bytes.fromhex("41574156534c8b3f498d9f88010000")
)
_EXECUTE = Function(
    "executeQuery", bytes.fromhex("554157415641554154534881ec380500004c894c24404d89c5")
)
FUNCTIONS = (_ADDRESS, _SCHEME, _CREDENTIALS, _EXECUTE)

MARK = b"/*STAGE="
"""A query that begins with this, a digit and `*/` is processed up to the stage of that number."""

# Whole instructions at the beginning of executeQuery, which move to make room for a jump.
_MOVED = 17
_RETURN_FIRST = b"\x48\x89\xf8"  # mov rax, rdi: where the caller wants the result
_RETURN = b"\xc3"
_SHORT_STRING = 22


def library():
    """The engine's file.

    Raises:
        UnknownCodeError: It is of a version, or for a machine, that is not known.
    """
    installed = importlib.metadata.version("chdb-core")
    if (installed, platform.machine()) != (VERSION, "x86_64"):
        raise UnknownCodeError(
            f"The cluster of the tests needs chdb-core {VERSION} on x86_64, and this is "
            f"{installed} on {platform.machine()}: find the functions of tests/cluster/"
            "engine_patches.py in it, and change the code that they are known by"
        )
    file = importlib.metadata.distribution("chdb-core").locate_file("chdb/_chdb.abi3.so")
    return os.path.realpath(file)


def find():
    """Places of the functions in the engine's file, by their names; this takes a second.

    Raises:
        UnknownCodeError: The engine is another one.
    """
    file = library()
    return {function.name: function.find(file) for function in FUNCTIONS}


def apply(places, host, port):
    """Change the engine of this process, before it is opened.

    Args:
        places: From :func:`find`.
        host: Where other replicas fetch parts from this one.
        port: The port for it.

    Raises:
        UnknownCodeError: The engine is another one.
    """
    file = library()
    importlib.import_module("chdb._chdb")
    at = {function: function.address(file, places[function.name]) for function in FUNCTIONS}
    # struct InterserverIOEndpointLocation's pair: a string, then a port of two bytes.
    port_code = b"\x66\xc7\x47\x18" + struct.pack("<H", port)
    machine_code.overwrite(at[_ADDRESS], _returning(_string(host) + port_code))
    machine_code.overwrite(at[_SCHEME], _returning(_string("http")))
    machine_code.overwrite(at[_CREDENTIALS], _no_credentials())
    _take_stages(at[_EXECUTE])


def _returning(code):
    return _RETURN_FIRST + code + _RETURN


def _string(text):
    """Write a std::string of libc++ to where the caller wants it; short ones are in place."""
    raw = text.encode()
    if len(raw) > _SHORT_STRING:
        raise ValueError(f"{text} is longer than {_SHORT_STRING} bytes")
    words = raw.ljust(_SHORT_STRING + 1, b"\0") + bytes([len(raw)])
    return b"".join(  # mov rcx, word; mov [rdi + offset], rcx
        b"\x48\xb9" + words[offset : offset + 8] + b"\x48\x89\x4f" + bytes([offset])
        for offset in (0, 8, 16)
    )


def _no_credentials():
    """Return a shared pointer, in two registers, to empty credentials that nobody counts."""
    empty = machine_code.place(bytes(256))
    return b"\x48\xb8" + struct.pack("<Q", empty) + b"\x31\xd2" + _RETURN


def _take_stages(execute):
    """Make executeQuery take the stage from the text, if there is one.

    The text's address is in rsi, its length in rdx, and the stage is the first argument on the
    stack.
    """
    staged = (
        b"\x48\xb8" + MARK  # mov rax, mark
        + b"\x48\x39\x06"  # cmp [rsi], rax
        + b"\x75\x0b"  # jne to the moved instructions
        + b"\x0f\xb6\x46\x08"  # movzx eax, byte [rsi + 8]
        + b"\x83\xe8\x30"  # sub eax, '0'
        + b"\x89\x44\x24\x08"  # mov [rsp + 8], eax
    )  # fmt: skip
    too_short = b"\x48\x83\xfa\x0c" + b"\x72" + bytes([len(staged)])  # cmp rdx, 12; jb
    moved = _EXECUTE.code[:_MOVED]
    back = _jump(execute + _MOVED)
    hook = machine_code.place(too_short + staged + moved + back)
    machine_code.overwrite(execute, _jump(hook))


def _jump(address):
    return b"\x48\xb8" + struct.pack("<Q", address) + b"\xff\xe0"  # mov rax, address; jmp rax
