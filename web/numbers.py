"""How computed numbers are written in answers: without the noise of binary fractions."""

_DIGITS = 12
_MS = 1_000_000


def milliseconds(nanoseconds: float) -> float:
    """Nanoseconds as milliseconds, to the nanosecond."""
    return round(nanoseconds / _MS, 6)


def share(part: float, whole: float) -> float:
    """A part of a whole, 0 to 1, with six digits; of nothing, 0."""
    return round(part / whole, 6) if whole else 0.0


def computed(value: float | None) -> float | None:
    """What was computed of other numbers, with twelve digits; whole numbers with all of theirs."""
    if value is None or value.is_integer():
        return value
    return float(f"{value:.{_DIGITS}g}")
