"""The error for an invalid query, with a hint for the user."""


class QuerySyntaxError(ValueError):
    """The text is not a valid query."""

    def __init__(self, position: int, hint: str) -> None:
        """Point to the mistake.

        Args:
            position: offset in the text, in characters from 0.
            hint: what is wrong and what to write instead, in full sentences.
        """
        super().__init__(f"At character {position + 1}: {hint}")
        self.position = position
        self.hint = hint
