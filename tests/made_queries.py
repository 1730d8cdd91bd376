"""Queries of the search language as pairs of text and tree, and log records that they may find."""

from hypothesis import strategies as st

from storage.language.fields import LOGS, Kind
from storage.language.tree import (
    NUMBER,
    And,
    Bound,
    Comparison,
    Equals,
    Exists,
    Like,
    Not,
    Or,
    Range,
    Regex,
    Wild,
)
from storage.severity import LEVEL_OF

WORDS = (
    *("time", "Time", "out", "timeout", "TIMEOUT", "a", "b", "ab", "user", "id", "42", "500"),
    *(
        "größe",
        "GRÖSSE",
        "ошибка",
        "ОШИБКА",
        "Ошибка",
        "错误",
        "naïve",
        "\u017f",
        "K",
        "İ",
        "ß",
        "—",
    ),
)
SEPARATORS = (" ", "  ", "-", "_", "%", "\\", "'", '"', ".", "/", ":", "\n", "\t", "*", "?", "")
VALUES = (
    *("", "a", "A", "ab", "b", "eu", "us", "EU", "5", "500", "-1", "1e3", ".5", "5.", "0.1", "+7"),
    *(
        "nan",
        "inf",
        "-Infinity",
        "1_0",
        " 5",
        "5 ",
        "\u0665",
        "1e400",
        "100%",
        "a_b",
        "a%b",
        "a\\b",
    ),
    *("it's", '"q"', "a b", "a\nb", "é", "É", "错误", "%(v0)s", "*", "a*", "\x00"),
)
REGEXES = (
    *("a", "^a$", "a|b", "[0-9]+$", "(?i)TIME", "t.*t", "^$", ".", "a.b", r"\d", r"\bout\b", "é"),
    *(
        r"a\/b",
        r"^\P{Latin}+$",
        "(?i)k",
        "x{2,3}",
        r"\x2e",
        "(a|b)*$",
        r"\Q%\E",
        "(?-s)a.b",
        r"\w+-",
    ),
    *(
        r"^Time \d*\.?out",
        r"[^x] time (a|b)",
        "^time out$",
        r"^Time\b",
        "^a* ?b [^]x]* c",
        "^ab?-out ",
        "imeou[a-z]",
        "TIME.?",
        "ошиб(ка)?",
    ),
)
NUMBERS = ("0", "5", "-1", "500", "1e3", ".5", "5.", "0.1", "1e400", "-0", "17")
ATTRIBUTES = ("status", "k8s.pod", "it's %s", "AND", "é", "absent")
COLUMNS = tuple(name for name, column in LOGS.columns.items() if column.kind is Kind.TEXT)
LEVELS = (*LEVEL_OF, "ERROR", "Warn", "custom", "ОШИБКА", "%", "")


def mostly(common, alphabet="aAbTé0 _%\\'\"-.*?/Ж"):
    return st.one_of(st.sampled_from(common), st.text(st.sampled_from(alphabet), max_size=5))


bodies = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SEPARATORS)), max_size=5).map(
    lambda parts: "".join(word + separator for word, separator in parts)
)


def random_record(source):
    """A log record with the keys of a row of the reader, drawn from a `random.Random`."""
    parts = source.choices(WORDS, k=source.randrange(6))
    held = ATTRIBUTES[:-1]
    return {
        "body": "".join(part + source.choice(SEPARATORS) for part in parts),
        "severity_text": source.choice(LEVELS),
        "severity_number": source.randrange(31),
        "service_name": source.choice(VALUES),
        "service_version": source.choice(VALUES),
        "client_id": source.choice(["default", "web"]),
        "endpoint": source.choice(["", "/api/items", "/a_b", "/a%b"]),
        "trace_id": source.choice(["", "0af7651916cd43dd8448eb211c80319c", "ab"]),
        "span_id": source.choice(["", "b7ad6b7169203331"]),
        "scope_name": source.choice(VALUES),
        "log_attributes": {
            name: source.choice(VALUES) for name in source.sample(held, source.randrange(4))
        },
        "resource_attributes": {
            name: source.choice(VALUES) for name in source.sample(held, source.randrange(4))
        },
    }


def escaped(text):
    return "".join(char if char.isalnum() else f"\\{char}" for char in text)


def word(text):
    """A text as a term without quotes: one that is no operator."""
    return f"\\{text}" if text in {"AND", "OR", "NOT", "TO"} else escaped(text)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_word(text):
    return text != "" and "\n" not in text


def written(text):
    """Ways to write a text."""
    return st.sampled_from([quoted(text), word(text)] if is_word(text) else [quoted(text)])


def equals(texts):
    return texts.flatmap(lambda text: st.tuples(written(text), st.just(Equals(text))))


def _like(pieces):
    pattern = []
    for piece in pieces:
        if isinstance(piece, str) and pattern and isinstance(pattern[-1], str):
            pattern[-1] += piece
        elif not (piece is Wild.ANY and pattern and pattern[-1] is Wild.ANY):
            pattern.append(piece)
    text = "".join(piece.value if isinstance(piece, Wild) else escaped(piece) for piece in pattern)
    return text, Like(tuple(pattern))


def likes(texts):
    pieces = st.one_of(texts.filter(is_word), st.sampled_from(Wild))
    return (
        st.lists(pieces, min_size=1, max_size=5)
        .filter(lambda parts: any(isinstance(part, Wild) for part in parts))
        .map(_like)
        .filter(lambda made: made[1].pattern != (Wild.ANY,))
    )


regexes = st.sampled_from(REGEXES).map(lambda expression: (f"/{expression}/", Regex(expression)))
exists = st.just(("*", Exists()))


@st.composite
def bounds(draw, texts):
    text = draw(texts)
    plain = is_word(text) and text != "*" and draw(st.booleans())
    minus = plain and NUMBER.fullmatch(text) and text[0] == "-"
    shown = text if minus else word(text) if plain else quoted(text)
    return shown, text, bool(plain and NUMBER.fullmatch(text))


@st.composite
def ranges(draw, texts):
    """Both ways to write a range."""
    (low_text, low, low_is), (high_text, high, high_is) = draw(bounds(texts)), draw(bounds(texts))
    included = draw(st.booleans()), draw(st.booleans())
    ends = Bound(low, included[0], low_is), Bound(high, included[1], high_is)
    equal_sign = "=" if included[0] else ""
    if draw(st.booleans()):
        sign, end = draw(st.sampled_from([(">", (ends[0], None)), ("<", (None, ends[0]))]))
        return f"{sign}{equal_sign}{low_text}", Range(*end)
    opened, closed = "{["[included[0]], "}]"[included[1]]
    which = draw(st.sampled_from(["both", "low", "high"]))
    low_text, first = ("*", None) if which == "high" else (low_text, ends[0])
    high_text, last = ("*", None) if which == "low" else (high_text, ends[1])
    return f"{opened}{low_text} TO {high_text}{closed}", Range(first, last)


texts = mostly(VALUES)
words = st.one_of(st.sampled_from(WORDS), bodies, mostly(WORDS)).filter(bool)
numbers = st.sampled_from(NUMBERS)
level_names = st.sampled_from([*LEVEL_OF, "ERROR", "Warn"])
unquoted_numbers = numbers.map(lambda text: (text, Equals(text)))


@st.composite
def numeric_ranges(draw):
    low, high = draw(numbers), draw(numbers)
    sign, included = draw(st.sampled_from([(">", False), (">=", True)]))
    if draw(st.booleans()):
        return f"{sign}{low}", Range(Bound(low, included, numeric=True), None)
    ends = Bound(low, included=True, numeric=True), Bound(high, included=False, numeric=True)
    return f"[{low} TO {high}}}", Range(*ends)


TESTS = {
    Kind.WORDS: st.one_of(equals(words), likes(words), regexes, exists),
    Kind.TEXT: st.one_of(equals(texts), likes(texts), regexes, ranges(texts), exists),
    Kind.NUMBER: st.one_of(unquoted_numbers, numeric_ranges(), exists),
    Kind.LEVEL: st.one_of(
        equals(st.sampled_from(LEVELS).filter(bool)),
        likes(st.sampled_from(["err", "E", "warn", "o", "unspecified"])),
        regexes,
        ranges(level_names),
        exists,
    ),
}


@st.composite
def comparisons(draw):
    prefixes = ["", "attributes.", "resource."]
    attributes = st.builds(str.__add__, st.sampled_from(prefixes), st.sampled_from(ATTRIBUTES))
    name = draw(st.one_of(attributes, st.sampled_from(sorted(LOGS.columns))))
    field = LOGS.named(name)
    text, test = draw(TESTS[getattr(field, "kind", Kind.TEXT)])
    shown = ".".join(word(part) for part in name.split("."))
    if isinstance(test, Exists) and draw(st.booleans()):
        return f"_exists_:{shown}", Comparison(field, test)
    return f"{shown}:{text}", Comparison(field, test)


bare = st.one_of(equals(words), likes(words), regexes).map(
    lambda made: (made[0], Comparison(LOGS.words, made[1]))
)
everything = st.just(("*", And(())))


@st.composite
def combined(draw, inner):
    parts = draw(st.lists(inner, min_size=1, max_size=3))
    trees = tuple(tree for _, tree in parts)
    shown = [text if _is_single(tree) else f"({text})" for text, tree in parts]
    if len(parts) == 1:
        sign = draw(st.sampled_from(["-", "NOT ", "!"]))
        return f"{sign}{shown[0]}", Not(trees[0])
    kind, signs = draw(st.sampled_from([(And, [" ", " AND ", " && "]), (Or, [" OR ", " || "])]))
    return draw(st.sampled_from(signs)).join(shown), kind(trees)


def _is_single(tree):
    return isinstance(tree, Comparison | Not) or tree == And(())


queries = st.recursive(
    st.one_of(bare, comparisons(), comparisons(), everything), combined, max_leaves=6
)
"""A query's text, and the tree that it must become."""
