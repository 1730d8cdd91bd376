"""Functions of the page's modules, called in a real browser."""

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


@pytest.fixture
def call(open_page):
    """Call a function of a module: its name, and its arguments as JSON."""

    def run(module, function, *arguments, **options):
        page = open_page("/?workspace_id=modules", **options)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        code = """async ([module, name, given]) => {
          const script = document.querySelector("script[type=module]").src;
          const called = (await import(new URL(`core/${module}.js`, script)))[name];
          return JSON.stringify(called(...given));
        }"""
        return json.loads(page.evaluate(code, [module, function, list(arguments)]))

    return run


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("and", ["", "a:1"], "a:1"),
        ("and", ["b", "a:1"], "b a:1"),
        ("and", ["a:1 b", "a:1"], "a:1 b"),
        ("and", ["a:1 OR b", "a:1"], "(a:1 OR b) a:1"),
        ("and", ["a:(1 OR 2)", "b:*"], "a:(1 OR 2) b:*"),
        ("and", ['"x a:1 y"', "a:1"], '"x a:1 y" a:1'),
        ("include", ["x service:a -level:info", "service_name", "b"], "x -level:info service:b"),
        ("include", ["-service:b", "service_name", "b"], "service:b"),
        ("include", ["service:a OR x", "service_name", "b"], "(service:a OR x) service:b"),
        ("include", ["NOT service:a", "service_name", "b"], "NOT service:a service:b"),
        ("exclude", ["service:a", "service_name", "a"], "-service:a"),
        ("exclude", ["service:a x", "service_name", "b"], "service:a x -service:b"),
        ("either", ["service:a", "service_name", "b"], "service:(a OR b)"),
        ("either", ["service:(a OR b) x", "service_name", "c d"], 'service:(a OR b OR "c d") x'),
        ("either", ["service:(a OR b)", "service_name", "b"], "service:(a OR b)"),
        ("either", ['service:"a b" x', "service_name", "c"], 'service:("a b" OR c) x'),
        ("freed", ["a service:x b", "service_name"], "a b"),
        ("freed", ["service:(x OR y)", "service_name"], ""),
        ("freed", ["service:x OR y", "service_name"], None),
        ("freed", ["-service:x", "service_name"], None),
        ("freed", ['body:/a service:x b/ "service:x y"', "service_name"], None),
    ],
)
def test_a_click_changes_only_its_own_part_of_a_query(call, function, arguments, expected):
    assert call("query", function, *arguments) == expected


@pytest.mark.parametrize(
    ("text", "is_end", "expected"),
    [
        ("2026-11-28T10:00", False, "1795856400000"),
        ("2026-07-01 10:00:30.5", True, "1782892830500"),
        ("2026-11-28", False, "1795820400000"),
        ("2026-11-28", True, "1795906799999"),
        ("2026-11-28T10:00Z", False, "2026-11-28T10:00Z"),
        ("2026-13-40", True, "2026-13-40"),
        (" now-15m ", False, "now-15m"),
    ],
)
def test_a_time_without_a_zone_is_local_where_local_times_are_shown(call, text, is_end, expected):
    found = call("range", "written", text, is_end, timezone_id="Europe/Berlin")
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00\x07b", "a␀␇b"),
        ("\u202e\u3164\U000e0041", "⟨U+202E⟩⟨U+3164⟩⟨U+E0041⟩"),
        ("\U0001f600\ufe0f ü", "\U0001f600\ufe0f ü"),
        ("x" * 1001, "x" * 1000 + "…"),
        ("\x07" * 300_000, "␇" * 1000 + "…"),
    ],
)
def test_text_is_visible_and_short(call, text, expected):
    assert call("text", "visible", text) == expected


def test_a_text_is_shortened_to_a_number_of_characters(call):
    assert call("text", "shortened", "ab\x00cd", 3) == "ab␀…"


def test_names_of_a_query_may_be_those_of_every_object(call):
    given = [["attributes[__proto__]", "a"], ["constructor", "b"], ["constructor", "c"]]
    named = call("pairs", "grouped", given)
    assert named["constructor"] == ["b", "c"]
    body = call("body", "bodyOf", given)
    assert (body["attributes"], body["constructor"]) == ({"__proto__": "a"}, ["b", "c"])


def test_what_is_written_at_once_is_kept_until_another_value_is_shown(open_page):
    page = open_page("/?workspace_id=modules")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    code = """async () => {
      const script = document.querySelector("script[type=module]").src;
      const module = (path) => import(new URL(path, script));
      const { render } = await module("vendor/preact.js");
      const { html } = await module("core/html.js");
      const { WrittenInput } = await module("components/written_input.js");
      const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      const place = document.createElement("div"), texts = [];
      const input = (value) => html`<${WrittenInput} value=${value} onWritten=${() => {}} />`;
      const show = (value) => render(input(value), place);
      const note = async () => {
        await frame();
        await frame();
        texts.push(place.querySelector("input").value);
      };
      const write = (text) => {
        place.querySelector("input").value = text;
        place.querySelector("input").dispatchEvent(new Event("input"));
      };
      document.body.append(place);
      show("first");
      write("written");
      await note();
      show("first");
      await note();
      show("second");
      await note();
      show("first");
      await note();
      place.remove();
      return texts;
    }"""
    assert page.evaluate(code) == ["written", "written", "second", "first"]
