r"""Regular expressions for the parts that vary between the lines of one log statement.

ClickHouse applies them in order, with RE2; Python's `re` with `re.ASCII` gives the same results.
None of them distinguishes between digits.
"""

_HEX = "[0-9a-fA-F]"
_IPV4 = r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"
_IPV6 = rf"\b(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}\b"
_IPV6_SHORT = rf"\b(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}}\b"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,:]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATE = r"\b\d{4}[-/.]\d\d[-/.]\d\d"

MASKS = (
    (r'"[^"]*"', "<str>"),
    (r"(^|[^0-9A-Za-z_])'[^']*'", r"\1<str>"),
    (rf"\b{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\b", "<uuid>"),
    (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+", "<url>"),
    (rf"{_IPV4}|{_IPV6}|{_IPV6_SHORT}", "<ip>"),
    (rf"{_DATE}(?:[T ,-]{_CLOCK}\b)?|\b\d\d:\d\d:\d\d(?:[.,:]\d+)?\b", "<time>"),
    (r"(^|[\s=:,(\[])(?:/[0-9A-Za-z_.@%+~$*-]+){2,}/?", r"\1<path>"),
    (rf"\b[0-9][xX]{_HEX}+\b", "<hex>"),
    (rf"\b(?:[0-9]+[a-fA-F]|[a-fA-F]+[0-9]){_HEX}{{6,}}\b", "<hex>"),
    (r"(^|[^0-9A-Za-z])-[0-9]+(?:\.[0-9]+)*", r"\1<num>"),
    (r"[0-9]+(?:\.[0-9]+)*", "<num>"),
)
"""Regular expressions and their replacements, in the order in which they apply."""
