"""The function in docs/traces.md makes a tree of an answer."""

import pytest

from tests.blocks import checked_by
from tests.integration.made_traces import MadeSpan

pytestmark = pytest.mark.integration


def test_the_documented_function_nests_the_flat_list(api, stored):
    stored("nested", *(MadeSpan(id=n, parent=n // 2, start=n) for n in range(1, 8)))
    spans = api("nested", f"/{1:032x}")["spans"]
    [code] = checked_by("test_the_documented_function_nests_the_flat_list")
    names = {}
    exec(code.text, names)

    def check(node):
        number = int(node["span_id"], 16)
        below = [2 * number, 2 * number + 1] if number < 4 else []
        assert [int(child["span_id"], 16) for child in node["children"]] == below
        for child in node["children"]:
            check(child)

    [root] = names["nested"](spans)
    check(root)
