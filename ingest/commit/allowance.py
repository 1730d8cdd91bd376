"""What workspaces may still send while the broker is away: each door then counts for itself."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.limits import BURST_SECONDS, Exceeded, Limits

_MOST = 10_000
_NEARLY_FULL = 0.999
_MOST_BEHIND = 60.0
"""Seconds by which the clock may be set back before what was counted is forgotten."""

_DAY_SECONDS = 86_400


@dataclass(slots=True)
class _State:
    at: float
    left: dict[str, float] = field(default_factory=dict)
    day: int = 0
    day_bytes: int = 0


class DoorAllowance:
    """Applies the limits of intake as `accept.lua` does, but only for one door.

    Only the thread of the binder uses it.
    """

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def take(
        self, workspace_id: str, limits: Limits, records: int, size: int, now: float | None = None
    ) -> Exceeded | None:
        """Take `records` of `size` bytes from what a workspace may send, or say why not.

        `now` is in Unix seconds.
        """
        clock = time.time() if now is None else now
        state = self._state(workspace_id, clock)
        now = max(clock, state.at)
        wanted = {"records": records, "bytes": size}
        have = dict(_left(state, limits, now))
        today = state.day_bytes if state.day == now // _DAY_SECONDS else 0
        problems = [
            *_too_fast(limits, have, wanted),
            *_too_much_today(limits, today, size, now, clock),
        ]
        if problems:
            wait, limit = max(problems)
            may = {name: max(0, math.floor(have.get(name, -1.0))) for name in have}
            most_bytes = _fewer(may.get("bytes", -1), _rest_of_day(limits, today))
            most = getattr(limits, limit)
            return Exceeded(
                workspace_id,
                limit,
                most,
                may.get("records", -1),
                most_bytes,
                math.ceil(1000 * wait),
            )
        left = {name: value - wanted[name] for name, value in have.items()}
        day = int(now // _DAY_SECONDS)
        self._states[workspace_id] = _State(now, left, day, today + size)
        return None

    def _state(self, workspace_id: str, now: float) -> _State:
        if len(self._states) >= _MOST and workspace_id not in self._states:
            self._states.clear()
        state = self._states.get(workspace_id)
        # The clock may have been set back.
        return state if state and state.at - now <= _MOST_BEHIND else _State(now)


def _rates(limits: Limits) -> Iterator[tuple[str, float]]:
    """The limits a second, by what they count."""
    rates = {"records": limits.records_per_second, "bytes": limits.bytes_per_second}
    return ((name, rate) for name, rate in rates.items() if rate)


def _left(state: _State, limits: Limits, now: float) -> Iterator[tuple[str, float]]:
    for name, rate in _rates(limits):
        most = rate * BURST_SECONDS
        earned = max(0.0, now - state.at) * rate
        yield name, min(most, state.left.get(name, most) + earned)


def _too_fast(
    limits: Limits, have: dict[str, float], wanted: dict[str, int]
) -> Iterator[tuple[float, str]]:
    """Seconds to wait, and the limit."""
    for name, rate in _rates(limits):
        most, left = rate * BURST_SECONDS, have[name]
        # More than that may only come while it is full, and is paid back.
        if wanted[name] > left and left < most * _NEARLY_FULL:
            yield (min(wanted[name], most) - left) / rate, f"{name}_per_second"


def _too_much_today(
    limits: Limits, today: int, size: int, now: float, clock: float
) -> Iterator[tuple[float, str]]:
    if limits.bytes_per_day and today and today + size > limits.bytes_per_day:
        yield (now // _DAY_SECONDS + 1) * _DAY_SECONDS - clock, "bytes_per_day"


def _rest_of_day(limits: Limits, today: int) -> int:
    return max(0, limits.bytes_per_day - today) if limits.bytes_per_day else -1


def _fewer(one: int, other: int) -> int:
    """The smaller of two numbers, of which -1 means any."""
    return max(one, other) if -1 in {one, other} else min(one, other)
