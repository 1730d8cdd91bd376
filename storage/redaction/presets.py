"""Ready-made rules: what they find, as regular expressions (RE2)."""

import re

from storage.redaction import candidates
from storage.redaction.candidates import Mark

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}\b"
_GROUP = r"[0-9A-Fa-f]{1,4}"
# The last 32 bits may be written as an IPv4 address.
_LAST = rf"(?:{_IPV4}|{_GROUP}\b)"
_IPV6 = "|".join(
    (
        rf"\b(?:{_GROUP}:){{7}}{_GROUP}\b",
        rf"\b(?:{_GROUP}:){{6}}{_IPV4}",
        rf"\b(?:{_GROUP}:){{1,6}}:(?:{_GROUP}:){{0,5}}{_LAST}",
        rf"\b(?:{_GROUP}:){{2,7}}:",
        # With one group only, it could be a name: `Face::new`.
        rf"\b{_GROUP}::\B",
        rf"::(?:{_GROUP}:){{0,6}}{_LAST}",
    )
)

_CARD_UNBROKEN = "[2-6][0-9]{12,18}"
_CARD_FOURS = "[2-6][0-9]{3}(?:[ -][0-9]{4}){3}"
_CARD_FOURS_AND_THREE = f"{_CARD_FOURS}[ -][0-9]{{3}}"
_CARD_OF_THREE = "3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}"
_CARDS = (_CARD_UNBROKEN, _CARD_FOURS_AND_THREE, _CARD_FOURS, _CARD_OF_THREE)

# All that is not ASCII: Unicode's classes take milliseconds to compile, at each search.
_LETTERS = r"A-Za-z\x{80}-\x{10FFFF}"

_TOKENS = (
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # Amazon
    r"\bAIza[0-9A-Za-z_-]{35}",  # Google
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",  # GitLab
    r"\bsk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
    r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"\bsheaf_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}",
    r"\b(?i:bearer\s+)[A-Za-z0-9._~+/=-]{16,}",
    r"\b(?i:authorization[\"']?\s*[:=]\s*[\"']?basic\s+)[A-Za-z0-9+/=]{8,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\]*-----END [A-Z ]*KEY-----)?",
)

PRESETS = {
    # What precedes a number decides whether it begins there; `cards` looks at what it finds again.
    "card": f"(?:^|[^0-9A-Za-z])(?:{'|'.join(_CARDS)})",
    "email": rf"[{_LETTERS}0-9._%+'-]+@(?:[{_LETTERS}0-9-]+\.)+[{_LETTERS}]{{2,}}",
    "token": "|".join(_TOKENS),
    "ip": rf"{_IPV6}|\b{_IPV4}",
}
"""By name. What `card` finds must also pass the Luhn check, see :func:`cards`."""

MARKS: dict[str, Mark | None] = {
    "card": candidates.cards,
    "email": candidates.signs("@"),
    "token": None,
    "ip": candidates.addresses,
}
"""Bytes without which a text has nothing that they find."""

LEAST = {"card": 13, "email": 6, "token": 15, "ip": 3}
"""The fewest bytes of what they find."""

_CARD_START = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[2-6](?=[0-9]{3})")
_CARD_SHAPES = [re.compile(rf"{card}(?![0-9A-Za-z])(?!\.[0-9])") for card in _CARDS]


def cards(text: str) -> list[tuple[int, int]]:
    """Where the card numbers of a text begin and end."""
    found: list[tuple[int, int]] = []
    for start in _CARD_START.finditer(text):
        if found and start.start() < found[-1][1]:
            continue
        matches = (shape.match(text, start.start()) for shape in _CARD_SHAPES)
        if end := next((match.end() for match in matches if match and passes_luhn(match[0])), 0):
            found.append((start.start(), end))
    return found


def passes_luhn(text: str) -> bool:
    """Whether the digits of a text are a valid card number (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in text if character in "0123456789"]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn's
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
