"""Fetches the page's libraries from npm: `python -m web.pages.vendor`.

Writes the ES modules that browsers load, with their licences, and `vendor.json`: the version of
each package, and the SHA-256 of its archive and of every file written. No build step follows.
"""

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "static" / "vendor"

PACKAGES = {
    "preact@11.2.0": {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    "@preact/signals-core@1.14.5": {"dist/signals-core.mjs": "signals-core.js"},
    "@preact/signals@2.11.4": {"dist/signals.mjs": "signals.js"},
    "htm@3.1.1": {"dist/htm.mjs": "htm.js"},
    "uplot@1.6.32": {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
}
"""The files taken from each package, and their names in the page."""

# uPlot has a minified file as a plain script only: a declaration, `var uPlot = …`.
_EXPORTS = {"uplot.js": "export default uPlot;\n"}

# Browsers resolve no package names: a module is imported by its address.
_IMPORT = re.compile(r"""(from\s*|import\s*)(["'])(@?[a-z][a-z/-]*)\2""")
_MODULES = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def fetch(folder: Path = FOLDER) -> None:
    """Write all files anew.

    Raises:
        CalledProcessError: `npm` cannot fetch a package.
        KeyError: a package has no such file, or imports a module that is not fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packages: dict[str, dict[str, str | dict[str, str]]] = {}
    licences = []
    for package, files in PACKAGES.items():
        with tempfile.TemporaryDirectory() as scratch:
            archive = _packed(package, Path(scratch))
            with tarfile.open(archive) as content:
                texts = {name: _text(content, source) for source, name in files.items()}
                licences.append(f"{package}\n\n{_text(content, 'LICENSE').strip()}\n")
            archived = _digest(archive.read_bytes())
        written_files = {}
        for name, text in texts.items():
            written = (_for_browsers(text) + _EXPORTS.get(name, "")).encode()
            (folder / name).write_bytes(written)
            written_files[name] = _digest(written)
        packages[package] = {"archive": archived, "files": written_files}
    (folder / "LICENSES.txt").write_text("\n\n".join(licences), encoding="utf-8")
    (folder / "vendor.json").write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


def _packed(package: str, folder: Path) -> Path:
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own table
    [archive] = folder.glob("*.tgz")
    return archive


def _text(archive: tarfile.TarFile, name: str) -> str:
    found = archive.extractfile(f"package/{name}")
    if found is None:
        raise KeyError(name)
    return found.read().decode()


def _for_browsers(text: str) -> str:
    text = _IMPORT.sub(lambda match: f'{match[1]}"{_MODULES[match[3]]}"', text)
    return _SOURCE_MAP.sub("", text).rstrip() + "\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    fetch()
