"""Known vulnerabilities of the pinned packages, and a bill of materials of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_TIMEOUT = "15"


def main() -> int:
    """Write the bill of materials, then ask for vulnerabilities; 1 if there is one."""
    constraints, target = map(Path, sys.argv[1:])
    write_bill(constraints, target)
    print(f"{target}: a CycloneDX bill of materials.")
    text, code = verdict(report(constraints))
    print(text)
    return code


def write_bill(constraints: Path, target: Path) -> None:
    """Write a CycloneDX bill of the pinned packages."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ("cyclonedx_py", "requirements", str(constraints), "--output-reproducible")
    _run(*command, "--of", "JSON", "-o", str(target)).check_returncode()


def report(constraints: Path) -> dict[str, Any] | None:
    """What the advisory service says of each package; None if it cannot be reached."""
    chosen = ("-r", str(constraints), "--no-deps", "--disable-pip", "--timeout", _TIMEOUT)
    result = _run("pip_audit", *chosen, "--format", "json", "--progress-spinner", "off")
    try:
        found: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        print(result.stderr.strip()[-500:], file=sys.stderr)
        return None
    return found


def verdict(found: dict[str, Any] | None) -> tuple[str, int]:
    """A text for people, and the exit code. Packages that are unknown there were not audited."""
    packages = found["dependencies"] if found else []
    # An index without advisories answers too, and pip-audit then calls everything fine.
    known = [each for each in packages if "skip_reason" not in each]
    if not known:
        return "The advisory service cannot be reached: nothing was audited.", 0
    bad = [
        f"{each['name']} {each['version']}: {flaw['id']}, corrected in "
        f"{', '.join(flaw['fix_versions']) or 'no version'}"
        for each in known
        for flaw in each["vulns"]
    ]
    unknown = len(packages) - len(known)
    summary = f"{len(known)} packages audited, {unknown} unknown to the service, {len(bad)} flaws."
    return "\n".join([*bad, summary]), int(bool(bad))


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    raise SystemExit(main())
