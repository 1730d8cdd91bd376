"""The rules of redaction: what they find, and what becomes of it.

Expressions are searched for by RE2, through Arrow, for single texts too: with another engine, a
rule could find something else in a dead letter than in a row.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.redaction.candidates import Mark, candidates, signs
from storage.redaction.members import key_expression, replace_members
from storage.redaction.presets import LEAST, MARKS, PRESETS, cards

Action = Literal["mask", "hash", "drop"]
"""`mask`: three asterisks. `hash`: a keyed hash, equal for equal texts. `drop`: nothing is left."""

MASK = "***"
MOST_RULES = 100
_LONGEST = 1000
_HASH_DIGITS = 16
_HASHED = re.compile(rf"hash:[0-9a-f]{{{_HASH_DIGITS}}}")
_SAMPLES = ("", "a", "0 a-b, c\né_.", " ")


class _Search(NamedTuple):
    """What is searched for, and which texts can have it."""

    expression: str
    mark: Mark | None = None
    least: int = 1
    """Bytes."""


class RuleError(ValueError):
    """A rule cannot be used; the text is a sentence."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule; exactly one of `attribute`, `preset` and `pattern` is set."""

    action: Action
    attribute: str = ""
    """Name of an attribute, in which `*` stands for any text: its whole value is redacted."""
    preset: str = ""
    """A name of :data:`PRESETS`: what it finds in bodies and values is redacted."""
    pattern: str = ""
    """A regular expression (RE2), used in the same way."""

    def check(self) -> None:
        """Check the rule.

        Raises:
            RuleError: it cannot be used.
        """
        given = [name for name in ("attribute", "preset", "pattern") if getattr(self, name)]
        if len(given) != 1:
            raise RuleError("Give exactly one of attribute, preset and pattern.")
        if len(getattr(self, given[0])) > _LONGEST:
            raise RuleError(f"{given[0]} must have at most {_LONGEST} characters.")
        if self.preset and self.preset not in PRESETS:
            raise RuleError(f"preset must be one of {', '.join(PRESETS)}.")
        _check_expression(given[0], self.expression)

    @property
    def expression(self) -> str:
        """A regular expression (RE2) for texts in which the rule may find something."""
        if self.attribute:
            return key_expression(self.attribute)
        return PRESETS.get(self.preset, self.pattern)


class Redactor:
    """The compiled rules of one workspace; any thread may use it."""

    def __init__(self, rules: tuple[Rule, ...], secret: bytes) -> None:
        """Compile `rules`; `secret` keys the hashes."""
        self._secret = secret
        # No text contains it by accident.
        self._mark = f"\x1f{secrets.token_hex(12)}\x1f"
        self._names = [(_name(each.attribute), each.action) for each in rules if each.attribute]
        self._of_texts = [rule for rule in rules if not rule.attribute]
        self._keys = _searches([rule for rule in rules if rule.attribute])
        self._any = _searches(rules)

    def texts(self, texts: pa.Array) -> pa.Array:
        """Redact what the rules find in an array of strings; only texts with a find are copied."""
        found = _found(self._any, texts)
        if found is None:
            return texts
        changed = self._members(texts.filter(found))
        for rule in self._of_texts:
            changed = self._apply(rule, changed)
        return pc.replace_with_mask(texts, found, changed)

    def text(self, text: str) -> str:
        """Redact one text."""
        return str(self.texts(pa.array([text], pa.string()))[0].as_py())

    def action_on(self, attribute: str) -> Action | None:
        """What becomes of an attribute's whole value; None: nothing."""
        return next((action for name, action in self._names if name.fullmatch(attribute)), None)

    def replaced(self, action: Action, text: str) -> str:
        """What an action makes of a text."""
        if action == "hash":
            return self.hashed(text)
        return MASK if action == "mask" else ""

    def hashed(self, text: str) -> str:
        """The keyed hash of a text; a hash stays as it is, so that a replay changes nothing."""
        if _HASHED.fullmatch(text):
            return text
        # JSON within a text may have half a surrogate pair, as an escape.
        content = text.encode(errors="surrogatepass")
        digest = hmac.digest(self._secret, content, hashlib.sha256)
        return f"hash:{digest.hex()[:_HASH_DIGITS]}"

    def _members(self, texts: pa.Array) -> pa.Array:
        def concerns(key: str) -> bool:
            return self.action_on(key) is not None

        def replace(key: str, value: str) -> str | None:
            action = self.action_on(key)
            return None if action is None or action == "drop" else self.replaced(action, value)

        found = _found(self._keys, texts)
        if found is None:
            return texts
        made = _each(texts.filter(found), lambda text: replace_members(text, concerns, replace))
        return pc.replace_with_mask(texts, found, made)

    def _apply(self, rule: Rule, texts: pa.Array) -> pa.Array:
        if rule.preset == "card":
            return _each(texts, lambda text: self._without_cards(rule.action, text))
        if rule.action == "hash":
            marked = f"{self._mark}\\0{self._mark}"
            texts = pc.replace_substring_regex(texts, rule.expression, marked)
            return _each(texts, self._hash_marked)
        with_what = MASK if rule.action == "mask" else ""
        return pc.replace_substring_regex(texts, rule.expression, with_what)

    def _hash_marked(self, text: str) -> str:
        parts = text.split(self._mark)
        parts[1::2] = map(self.hashed, parts[1::2])
        return "".join(parts)

    def _without_cards(self, action: Action, text: str) -> str:
        for start, end in reversed(cards(text)):
            text = text[:start] + self.replaced(action, text[start:end]) + text[end:]
        return text


def _each(texts: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Change each of some texts; equal ones once."""
    encoded = texts.dictionary_encode()
    made = pa.array(map(change, encoded.dictionary.to_pylist()), pa.string())
    return made.take(encoded.indices)


def _found(searches: list[_Search], texts: pa.Array) -> pa.BooleanArray | None:
    """Which texts a search finds something in; None: none."""
    found = np.zeros(len(texts), np.bool_)
    for search in searches:
        places = candidates(texts, search.mark, search.least)
        if len(places):
            chosen = texts if len(places) == len(texts) else texts.take(pa.array(places))
            here = pc.match_substring_regex(chosen, search.expression)
            found[places[here.to_numpy(zero_copy_only=False)]] = True
    return pa.array(found) if found.any() else None


def _searches(rules: Sequence[Rule]) -> list[_Search]:
    """The searches for what rules find; those of patterns are one, if they can be."""
    patterns = [rule.expression for rule in rules if rule.pattern]
    keys = [rule.expression for rule in rules if rule.attribute]
    presets = dict.fromkeys(rule.preset for rule in rules if rule.preset)
    return [
        *(_Search(each, MARKS[name], LEAST[name]) for name in presets for each in [PRESETS[name]]),
        *(_Search(each, signs('"'), 3) for each in _joined(keys)),
        *(_Search(each) for each in _joined(patterns)),
    ]


def _joined(expressions: list[str]) -> list[str]:
    """One expression for all, if it is not too large and no two have groups of the same name."""
    if not expressions:
        return []
    joined = "|".join(f"(?:{expression})" for expression in expressions)
    try:
        pc.match_substring_regex(pa.array(["x"]), joined)
    except pa.ArrowInvalid:
        return expressions
    return [joined]


def _name(attribute: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, attribute.split("*"))), re.DOTALL | re.IGNORECASE)


def _check_expression(field: str, expression: str) -> None:
    try:
        marked = pc.replace_substring_regex(pa.array(_SAMPLES), expression, "\x1f<\\0>\x1f")
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise RuleError(f"{field} is not a regular expression (RE2): {reason}.") from None
    if any("\x1f<>\x1f" in text for text in marked.to_pylist()):
        raise RuleError(f"{field} must not match an empty text.")
