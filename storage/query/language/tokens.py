"""Tokenizes a query with luqum's lexer, extended for log search."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from luqum import parser
from luqum.exceptions import IllegalCharacterError
from luqum.head_tail import HeadTailLexer, TokenValue
from luqum.tree import Word
from ply.lex import LexToken

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.literal import keyed_at, literal_at

Token: TypeAlias = Any
"""A token of PLY, which luqum's lexer uses."""

_OPERATORS = {"&&": "AND_OP", "||": "OR_OP"}
_COMPARES = {"LESSTHAN", "GREATERTHAN"}
_REFUSED = {
    "BOOST": "Boosting with ^ is not supported. Quote a text that contains ^.",
    "APPROX": "Fuzzy and proximity searches with ~ are not supported; use the wildcards * and ?. "
    "Quote a text that contains ~.",
}
_ILLEGAL = {
    '"': 'This quote is not closed. Write \\" for a quote inside a phrase.',
    "/": "A / begins a regular expression, /like this/, or a path, /like/this. Quote a path with "
    'parentheses, quotes or backslashes: "/items(1)".',
    "\\": "A backslash must be followed by the character to escape.",
}
_AFTER_REGEX = " \t\r\n)"


class Tokens:
    """The tokens of one text; each call returns the next, None at the end.

    Adds to luqum `&&`, `||`, `!`, literals, and negative numbers after `<` and `>`.
    """

    def __init__(self, text: str) -> None:
        """Begin with the first token of `text`."""
        self.lexer = parser.lexer.clone()
        # luqum creates it at the first token, which may be a literal that it never sees.
        setattr(self.lexer, HeadTailLexer.LEXER_ATTR, HeadTailLexer())
        self.position = 0
        """Offset of the latest token."""
        self.length = 0
        """Its characters."""
        self.latest = ""
        """Type of the latest token."""
        self._text = text

    def __call__(self) -> Token:
        """The next token.

        Raises:
            QuerySyntaxError: there is no valid token here, or it is not supported.
        """
        token = self._read()
        if token is None:
            self.position, self.length, self.latest = len(self._text), 0, ""
            return None
        self.position, self.length = token.lexpos, token.value.size
        if token.type in _REFUSED:
            raise QuerySyntaxError(token.lexpos, _REFUSED[token.type], self.length)
        self.latest = token.type
        return token

    def _read(self) -> Token:
        token = self._literal() or self._lexed()
        if token is None:
            return None
        if token.type == "TERM":
            return self._term(token)
        if token.type == "MINUS" and self.latest in _COMPARES:
            return self._negative(token)
        if token.type == "REGEX":
            self._check_end(token)
        return token

    def _literal(self) -> Token:
        """The literal at this offset, which luqum would split; None if there is none."""
        place = self.lexer.lexpos
        while self._text[place : place + 1].isspace():
            place += 1
        found = literal_at(self._text, place) or keyed_at(self._text, place)
        if found is None:
            return None
        end, term = found
        token = LexToken()
        token.type, token.lineno, token.lexpos = "TERM", self.lexer.lineno, place
        token.value = Word(term, pos=place, size=end - place)
        self.lexer.lexpos = end
        return token

    def _lexed(self) -> Token:
        try:
            return self.lexer.token()
        except IllegalCharacterError:
            place = self.lexer.lexpos
            character = self._text[place]
            hint = _ILLEGAL.get(character, f"Quote a text that contains {character}.")
            raise QuerySyntaxError(place, hint, self._unclosed(place)) from None

    def _unclosed(self, place: int) -> int:
        """Characters of what begins at `place` and has no end."""
        rest = self._text[place:]
        if rest.startswith('"'):
            return len(rest)
        return len(rest.split()[0]) if rest.startswith("/") else 1

    def _term(self, token: Token) -> Token:
        text = token.value.value
        if text in _OPERATORS:
            return _retyped(token, _OPERATORS[text], text)
        if text.startswith("!"):
            self.lexer.lexpos = token.lexpos + 1
            return _retyped(token, "NOT", "!")
        return token

    def _negative(self, minus: Token) -> Token:
        token = self._lexed()
        if token is None or token.type != "TERM":
            raise QuerySyntaxError(minus.lexpos, "A minus must be followed by a number here.", 1)
        token.lexpos = minus.lexpos
        text = f"-{token.value.value}"
        token.value = Word(text, pos=minus.lexpos, size=len(text))
        return token

    def _check_end(self, token: Token) -> None:
        end = token.lexpos + len(token.value.value)
        if self._text[end : end + 1] not in _AFTER_REGEX:
            raise QuerySyntaxError(token.lexpos, _ILLEGAL["/"], self._unclosed(token.lexpos))


def _retyped(token: Token, kind: str, text: str) -> Token:
    token.type = kind
    token.value = TokenValue(text)
    token.value.pos, token.value.size = token.lexpos, len(text)
    return token


@dataclass(frozen=True, slots=True)
class Placed:
    """A token and where it stands."""

    kind: str
    """luqum's type of the token, such as `TERM`, `COLUMN` or `PHRASE`."""
    begin: int
    end: int


def placed_tokens(text: str) -> tuple[list[Placed], QuerySyntaxError | None]:
    """The tokens of a text that may be incomplete, up to the first mistake, and that mistake."""
    tokens, found = Tokens(text), []
    tokens.lexer.input(text)
    try:
        while tokens() is not None:
            begin = tokens.position
            found.append(Placed(tokens.latest, begin, begin + tokens.length))
    except QuerySyntaxError as error:
        return found, error
    return found, None
