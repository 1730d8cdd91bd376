"""What the tests of the deployment compare with."""

import pytest
import yaml


@pytest.fixture(scope="module")
def composition(project_root):
    return yaml.safe_load((project_root / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def procfile(project_root):
    lines = (project_root / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)
