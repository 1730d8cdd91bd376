"""Look whether every package that Sheaf runs with has a wheel for each platform.

`python -m tests.portable constraints.txt`: pip searches the index, and installs nothing.
"""

import importlib.metadata
import logging
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip._internal.commands import create_command
from pip._internal.models.target_python import TargetPython
from pip._vendor.packaging.specifiers import SpecifierSet

# pip tells of every index that lacks a package.
logging.getLogger("pip").setLevel(logging.ERROR)

_MAC = ("10_9", "10_12", "10_13", "10_15", "11_0", "12_0", "13_0", "14_0", "15_0")
_GLIBC = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34")
PLATFORMS = {
    "macOS on arm64": [
        f"macosx_{each}_{kind}" for each in _MAC for kind in ("arm64", "universal2")
    ],
    "macOS on x86-64": [
        f"macosx_{each}_{kind}" for each in _MAC for kind in ("x86_64", "universal2")
    ],
    "Linux on arm64": [f"manylinux{each}_aarch64" for each in _GLIBC],
    "Linux on x86-64": [f"manylinux{each}_x86_64" for each in _GLIBC],
}
"""The tags of wheels that a current system of each kind takes."""

VERSIONS = ("3.11", "3.12")


def needed(name, extras=()):
    """The packages that a package needs with some extras, and all that these need."""
    found, todo = set(), [(name, frozenset(extras))]
    while todo:
        name, extras = todo.pop()
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": each}) for each in ("", *extras)):
                continue
            package = canonicalize_name(requirement.name)
            if (package, *requirement.extras) not in found:
                found.add((package, *requirement.extras))
                todo.append((package, frozenset(requirement.extras)))
    return {package for package, *_ in found} - {"sheaf"}


def pinned(constraints):
    """Versions by name, of a file of `name==version`."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def finder(platform, version):
    """pip's search for wheels of a platform; it reads the index's pages and downloads nothing.

    pip's command would download each wheel that it finds, hundreds of MiB.
    """
    target = TargetPython(
        platforms=PLATFORMS[platform],
        py_version_info=tuple(map(int, version.split("."))),
        implementation="cp",
    )
    command = create_command("download")
    options, _ = command.parse_args(["--only-binary=:all:"])
    return command._build_package_finder(
        options=options, session=command._build_session(options), target_python=target
    )


def missing(packages, platform, version):
    """Those of `packages`, versions by name, that have no wheel."""
    search = finder(platform, version)
    return [
        f"{name} {pinned_version}"
        for name, pinned_version in packages.items()
        if not search.find_best_candidate(name, SpecifierSet(f"=={pinned_version}")).best_candidate
    ]


def main(path):
    """Print a line for each platform; returns the number of platforms that lack a wheel."""
    versions = pinned(Path(path).read_text(encoding="utf-8"))
    packages = {name: versions[name] for name in sorted(needed("sheaf", ["embedded"]))}
    lacking = 0
    for platform in PLATFORMS:
        for version in VERSIONS:
            without = missing(packages, platform, version)
            lacking += bool(without)
            state = f"no wheel of {', '.join(without)}" if without else "all have a wheel"
            print(f"{platform}, Python {version}, {len(packages)} packages: {state}")
    return lacking


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
