"""What docs/traces.md says works as it says."""

import re

import pytest

from tests.integration.made_traces import MadeSpan

pytestmark = pytest.mark.integration

DOCUMENTED = "5b8efff798038103d269b633813fc60c"


@pytest.fixture(scope="module")
def page(project_root):
    return (project_root / "docs" / "traces.md").read_text()


def test_the_documented_requests_are_answered(client_of, engine_settings, stored, page):
    stored("documented", MadeSpan(trace=int(DOCUMENTED, 16)))
    client = client_of(engine_settings)
    requests = re.findall(r"^GET (\S+)$", page, re.MULTILINE)
    assert len(requests) > 8
    for path in requests:
        response = client.get(path, headers={"x-workspace-id": "documented"})
        assert response.status_code == 200, (path, response.text)


def test_the_documented_function_nests_the_flat_list(api, stored, page):
    stored("nested", *(MadeSpan(id=n, parent=n // 2, start=n) for n in range(1, 8)))
    spans = api("nested", f"/{1:032x}")["spans"]
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(code, names)

    def check(node):
        number = int(node["span_id"], 16)
        below = [2 * number, 2 * number + 1] if number < 4 else []
        assert [int(child["span_id"], 16) for child in node["children"]] == below
        for child in node["children"]:
            check(child)

    [root] = names["nested"](spans)
    check(root)
