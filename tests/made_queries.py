"""Random queries of the search language, as pairs of text and tree, and random log records."""

from hypothesis import strategies as st

from storage.query.language.fields import LOGS, FieldType
from storage.query.language.tree import (
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
COLUMNS = tuple(name for name, column in LOGS.columns.items() if column.kind is FieldType.TEXT)
LEVELS = (*LEVEL_OF, "ERROR", "Warn", "custom", "ОШИБКА", "%", "")


def mostly(common, alphabet="aAbTé0 _%\\'\"-.*?/Ж"):
    """Common texts, or short ones of awkward characters."""
    awkward = st.text(st.sampled_from(alphabet), max_size=5)
    return st.one_of(st.sampled_from(common), awkward)


words_and_separators = st.builds(str.__add__, st.sampled_from(WORDS), st.sampled_from(SEPARATORS))
bodies = st.lists(words_and_separators, max_size=5).map("".join)


_wildcards = st.sampled_from(("<*>", "<...>", "<value>", "<num>", "<str>", "<path>"))
_template_pieces = st.builds(
    str.__add__, st.one_of(st.sampled_from(WORDS), _wildcards), st.sampled_from(SEPARATORS)
)
templates = st.one_of(
    st.lists(_template_pieces, max_size=4).map("".join),
    st.sampled_from(("<...>", "<*>", "<*> ", "<*>-<*>", "<...> <...>", "<...><value><...>")),
)


def random_record(source):
    """A log record as the reader returns it, drawn from a `random.Random`."""
    words = source.choices(WORDS, k=source.randrange(6))
    return {
        "body": "".join(word + source.choice(SEPARATORS) for word in words),
        "severity_text": source.choice(LEVELS),
        "severity_number": source.randrange(31),
        "service_name": source.choice(VALUES),
        "service_version": source.choice(VALUES),
        "client_id": source.choice(["default", "web"]),
        "endpoint": source.choice(["", "/api/items", "/a_b", "/a%b"]),
        "trace_id": source.choice(["", "0af7651916cd43dd8448eb211c80319c", "ab"]),
        "span_id": source.choice(["", "b7ad6b7169203331"]),
        "scope_name": source.choice(VALUES),
        "log_attributes": random_attributes(source),
        "resource_attributes": random_attributes(source),
    }


def random_attributes(source):
    present = ATTRIBUTES[:-1]
    names = source.sample(present, source.randrange(4))
    return {name: source.choice(VALUES) for name in names}


def escaped(text):
    """A text with a backslash before each character that may have a meaning."""
    return "".join(char if char.isalnum() else f"\\{char}" for char in text)


def word(text):
    """A text as a term without quotes, and not as an operator."""
    return f"\\{text}" if text in {"AND", "OR", "NOT", "TO"} else escaped(text)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_word(text):
    """Whether a text can be written without quotes."""
    return text != "" and "\n" not in text


def written(text):
    """Ways to write a text."""
    ways = [quoted(text)]
    if is_word(text):
        ways.append(word(text))
    return st.sampled_from(ways)


@st.composite
def equals(draw, texts):
    text = draw(texts)
    return draw(written(text)), Equals(text)


def likes(texts):
    pieces = st.one_of(texts.filter(is_word), st.sampled_from(Wild))
    patterns = st.lists(pieces, min_size=1, max_size=5).map(joined).filter(is_pattern)
    return patterns.map(like)


def joined(pieces):
    """The pieces of a pattern, with neighbouring texts and neighbouring `*` made one."""
    pattern = []
    for piece in pieces:
        before = pattern[-1] if pattern else None
        if isinstance(piece, str) and isinstance(before, str):
            pattern[-1] += piece
        elif not (piece is Wild.ANY and before is Wild.ANY):
            pattern.append(piece)
    return pattern


def is_pattern(pieces):
    """Whether there is a wildcard; a single `*` asks whether a field exists."""
    has_wildcard = any(isinstance(piece, Wild) for piece in pieces)
    return has_wildcard and pieces != [Wild.ANY]


def like(pattern):
    shown = [piece.value if isinstance(piece, Wild) else escaped(piece) for piece in pattern]
    return "".join(shown), Like(tuple(pattern))


regexes = st.sampled_from(REGEXES).map(lambda expression: (f"/{expression}/", Regex(expression)))
exists = st.just(("*", Exists()))


@st.composite
def bounds(draw, texts):
    """A bound of a range: how it is written, and what it becomes."""
    text = draw(texts)
    included = draw(st.booleans())
    without_quotes = is_word(text) and text != "*" and draw(st.booleans())
    numeric = without_quotes and NUMBER.fullmatch(text) is not None
    if numeric and text.startswith("-"):
        shown = text
    elif without_quotes:
        shown = word(text)
    else:
        shown = quoted(text)
    return shown, Bound(text, included, numeric=numeric)


@st.composite
def comparison_ranges(draw, texts):
    """A range with one end, such as `>=5`."""
    shown, bound = draw(bounds(texts))
    equal_sign = "=" if bound.included else ""
    if draw(st.booleans()):
        return f">{equal_sign}{shown}", Range(bound, None)
    return f"<{equal_sign}{shown}", Range(None, bound)


@st.composite
def bracket_ranges(draw, texts):
    """A range in brackets, such as `[a TO b}`; one of its ends may be `*`."""
    low_text, low = draw(bounds(texts))
    high_text, high = draw(bounds(texts))
    opened = "[" if low.included else "{"
    closed = "]" if high.included else "}"
    open_end = draw(st.sampled_from(["none", "high", "low"]))
    if open_end == "low":
        low_text, low = "*", None
    elif open_end == "high":
        high_text, high = "*", None
    return f"{opened}{low_text} TO {high_text}{closed}", Range(low, high)


def ranges(texts):
    return st.one_of(comparison_ranges(texts), bracket_ranges(texts))


texts = mostly(VALUES)
words = st.one_of(st.sampled_from(WORDS), bodies, mostly(WORDS)).filter(bool)
numbers = st.sampled_from(NUMBERS)
level_names = st.sampled_from([*LEVEL_OF, "ERROR", "Warn"])
unquoted_numbers = numbers.map(lambda text: (text, Equals(text)))


@st.composite
def numeric_ranges(draw):
    low, high = draw(numbers), draw(numbers)
    if draw(st.booleans()):
        sign, included = draw(st.sampled_from([(">", False), (">=", True)]))
        return f"{sign}{low}", Range(Bound(low, included, numeric=True), None)
    first = Bound(low, included=True, numeric=True)
    last = Bound(high, included=False, numeric=True)
    return f"[{low} TO {high}}}", Range(first, last)


TESTS = {
    FieldType.WORDS: st.one_of(equals(words), likes(words), regexes, exists),
    FieldType.TEXT: st.one_of(equals(texts), likes(texts), regexes, ranges(texts), exists),
    FieldType.NUMBER: st.one_of(unquoted_numbers, numeric_ranges(), exists),
    FieldType.TEMPLATE: equals(templates),
    FieldType.LEVEL: st.one_of(
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
    text, test = draw(TESTS[getattr(field, "kind", FieldType.TEXT)])
    shown = ".".join(word(part) for part in name.split("."))
    if isinstance(test, Exists) and draw(st.booleans()):
        return f"_exists_:{shown}", Comparison(field, test)
    return f"{shown}:{text}", Comparison(field, test)


@st.composite
def bare(draw):
    """A test without a field, which is one of the body."""
    text, test = draw(st.one_of(equals(words), likes(words), regexes))
    return text, Comparison(LOGS.words, test)


everything = st.just(("*", And(())))


@st.composite
def combined(draw, inner):
    """One query negated, or several joined by AND or OR."""
    parts = draw(st.lists(inner, min_size=1, max_size=3))
    trees = tuple(tree for _, tree in parts)
    shown = [f"({text})" if needs_parentheses(tree) else text for text, tree in parts]
    if len(parts) == 1:
        sign = draw(st.sampled_from(["-", "NOT ", "!"]))
        return f"{sign}{shown[0]}", Not(trees[0])

    kind, signs = draw(st.sampled_from([(And, [" ", " AND ", " && "]), (Or, [" OR ", " || "])]))
    sign = draw(st.sampled_from(signs))
    return sign.join(shown), kind(trees)


def needs_parentheses(tree):
    is_single = isinstance(tree, Comparison | Not) or tree == And(())
    return not is_single


queries = st.recursive(
    st.one_of(bare(), comparisons(), comparisons(), everything), combined, max_leaves=6
)
"""A query's text, and the tree that it must become."""
