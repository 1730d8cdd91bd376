"""Literal texts in regular expressions of RE2, which ClickHouse and Arrow use."""

import re


def escaped(text: str) -> str:
    """An RE2 expression that matches exactly this text."""
    return re.sub(r"[\x00-\x7f]", _escaped_character, text)


def _escaped_character(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isalnum() else rf"\x{ord(character):02x}"
