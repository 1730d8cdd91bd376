"""The error for an invalid query, with a hint for the user."""

from typing import Any


class QuerySyntaxError(ValueError):
    """The text is not a valid query."""

    def __init__(self, position: int, hint: str, length: int = 0) -> None:
        """Point to the mistake.

        Args:
            position: offset in the text, in characters from 0.
            hint: what is wrong and what to write instead, in full sentences.
            length: characters of the wrong part; 0 if something is missing at `position`.
        """
        super().__init__(f"At character {position + 1}: {hint}")
        self.position = position
        self.hint = hint
        self.length = length

    def without_space(self, text: str) -> "QuerySyntaxError":
        """The same error of this text, without the spaces after the wrong part."""
        wrong = text[self.position : self.position + self.length]
        return QuerySyntaxError(self.position, self.hint, len(wrong.rstrip()))


def mistake(node: Any, hint: str) -> QuerySyntaxError:  # noqa: ANN401 - luqum's
    """The error for a node of luqum's tree."""
    return QuerySyntaxError(node.pos or 0, hint, node.size or 1)
