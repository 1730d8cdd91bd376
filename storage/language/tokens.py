"""The tokens of a query: luqum's, with what log search needs beside them."""

from typing import Any, TypeAlias

from luqum import parser
from luqum.exceptions import IllegalCharacterError
from luqum.head_tail import HeadTailLexer, TokenValue
from luqum.tree import Word
from ply.lex import LexToken

from storage.language.errors import QuerySyntaxError
from storage.language.literal import keyed_at, literal_at

Token: TypeAlias = Any
"""A token of PLY, on which luqum builds."""

_SIGNS = {"&&": "AND_OP", "||": "OR_OP"}
_COMPARES = {"LESSTHAN", "GREATERTHAN"}
_REFUSED = {
    "BOOST": "Records have no score that ^ could boost. Quote a text that contains ^.",
    "APPROX": "Fuzzy and proximity searches with ~ are not known; * and ? stand for unknown "
    "characters. Quote a text that contains ~.",
}
_ILLEGAL = {
    '"': 'This quote is not closed. Write \\" for a quote inside of a phrase.',
    "/": 'A / begins a regular expression, /like this/. Quote a path: "/api/items".',
    "\\": "A backslash needs the character after it that it stands before.",
}
_AFTER_REGEX = " \t\r\n)"


class Tokens:
    """The tokens of one text; each call gives the next, None at the end.

    luqum knows no `&&`, `||` and `!`, and no negative number after `<` and `>`.
    """

    def __init__(self, text: str) -> None:
        """Begin with the first token of `text`."""
        self.lexer = parser.lexer.clone()
        # luqum makes it of the first token alone, which may be one that it does not see.
        setattr(self.lexer, HeadTailLexer.LEXER_ATTR, HeadTailLexer())
        self.position = 0
        """Where the latest token begins."""
        self.latest = ""
        """The latest token's type."""
        self._text = text

    def __call__(self) -> Token:
        """The next token.

        Raises:
            QuerySyntaxError: there is none at this place, or the language does not have it.
        """
        token = self._read()
        if token is None:
            self.position, self.latest = len(self._text), ""
            return None
        self.position = token.lexpos
        if token.type in _REFUSED:
            raise QuerySyntaxError(token.lexpos, _REFUSED[token.type])
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
        """A term that means itself, which luqum would take apart; None if none stands here."""
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
            sign = self._text[place]
            hint = _ILLEGAL.get(sign, f"Quote a text that contains {sign}.")
            raise QuerySyntaxError(place, hint) from None

    def _term(self, token: Token) -> Token:
        text = token.value.value
        if text in _SIGNS:
            return _retyped(token, _SIGNS[text], text)
        if text.startswith("!"):
            self.lexer.lexpos = token.lexpos + 1
            return _retyped(token, "NOT", "!")
        return token

    def _negative(self, minus: Token) -> Token:
        token = self._lexed()
        if token is None or token.type != "TERM":
            raise QuerySyntaxError(minus.lexpos, "A number has to follow this sign.")
        token.lexpos = minus.lexpos
        text = f"-{token.value.value}"
        token.value = Word(text, pos=minus.lexpos, size=len(text))
        return token

    def _check_end(self, token: Token) -> None:
        end = token.lexpos + len(token.value.value)
        if self._text[end : end + 1] not in _AFTER_REGEX:
            raise QuerySyntaxError(token.lexpos, _ILLEGAL["/"])


def _retyped(token: Token, kind: str, text: str) -> Token:
    token.type = kind
    token.value = TokenValue(text)
    token.value.pos, token.value.size = token.lexpos, len(text)
    return token
