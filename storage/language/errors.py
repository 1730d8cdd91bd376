"""What is wrong with a query, said to the one who wrote it."""


class QuerySyntaxError(ValueError):
    """The text is no query of the search language."""

    def __init__(self, position: int, hint: str) -> None:
        """Say where and why.

        Args:
            position: place in the text, in characters from 0.
            hint: what is wrong and what to write instead, as sentences.
        """
        super().__init__(f"At character {position + 1}: {hint}")
        self.position = position
        self.hint = hint
