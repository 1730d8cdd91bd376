"""What `make audit` says and how it ends."""

import json

import pytest

from tests.audit import verdict, write_bill

FINE = {"name": "flask", "version": "3.1.0", "vulns": []}
FLAWED = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}],
}
UNKNOWN = {"name": "sheaf", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "code", "text"),
    [
        ([FINE], 0, "1 packages audited, 0 unknown to the service, 0 flaws."),
        ([FINE, FLAWED], 1, "jinja2 2.4.1: PYSEC-2019-217, corrected in 2.10.1"),
        ([FINE, UNKNOWN], 0, "1 packages audited, 1 unknown"),
        ([UNKNOWN, UNKNOWN], 0, "nothing was audited"),
    ],
)
def test_a_known_flaw_fails_and_an_index_without_advisories_is_not_called_fine(
    packages, code, text
):
    said, ended = verdict({"dependencies": packages})
    assert ended == code
    assert text in said


def test_a_service_that_cannot_be_reached_is_said_and_fails_nothing():
    said, code = verdict(None)
    assert "nothing was audited" in said
    assert code == 0


def test_the_bill_of_materials_has_every_pinned_package(project_root, tmp_path):
    constraints, target = project_root / "constraints.txt", tmp_path / "new" / "sbom.json"
    write_bill(constraints, target)
    bill = json.loads(target.read_text())
    pinned = {
        tuple(line.split("=="))
        for line in constraints.read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    assert bill["bomFormat"] == "CycloneDX"
    assert {(each["name"], each["version"]) for each in bill["components"]} == pinned
