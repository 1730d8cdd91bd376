"""Scores how well a value distinguishes the records of a selection from those of a baseline.

A value that many records of the selection and few of the baseline have scores high; one whose
shares differ no more than chance explains scores 0.
"""

import math
from dataclasses import dataclass

FALSE_ALARMS = 0.05
"""Accepted probability that chance alone lets one of all compared values score above 0."""


@dataclass(frozen=True, slots=True)
class Side:
    """How many records of the selection, or of the baseline, have a value."""

    count: int
    """Records with the value."""
    total: int
    """All records."""
    count_squares: int = 0
    """In a sample of runs, the sum of the squared counts of the runs; otherwise 0."""
    total_squares: int = 0
    """The same of all records."""

    @property
    def share(self) -> float:
        """Share of the records with the value, 0 to 1; 0 if there are no records."""
        return self.count / self.total if self.total else 0.0

    def variances(self) -> tuple[float, float]:
        """Variance of the share: if records are independent, and if only the runs are.

        The second is never below the first.
        """
        alone = self.count * (1 - self.share)
        in_runs = self.count_squares - self.share**2 * self.total_squares
        square = max(1, self.total) ** 2
        return alone / square, max(alone, in_runs) / square


def score(selection: Side, baseline: Side, compared: int) -> float:
    """How well a value distinguishes the sides, from 0 to 1.

    1 means that all records of the selection have it, and none of the baseline. The score is the
    divergence of the shares, less the part of the evidence that chance explains.

    Args:
        selection: records of the selection.
        baseline: records of the baseline.
        compared: number of values that were compared.
    """
    found = evidence(selection, baseline)
    chance = math.log(max(1, compared) / FALSE_ALARMS)
    if found <= chance:
        return 0.0
    return divergence(selection.share, baseline.share) * (1 - chance / found)


def evidence(selection: Side, baseline: Side) -> float:
    """How much likelier the counts are with two shares than with one, as a logarithm.

    Neighbouring records are alike, so what a sample of runs seems to show is divided by the design
    effect: how much more the counts vary from run to run than those of independent records would.
    """
    total = selection.total + baseline.total
    pooled = (selection.count + baseline.count) / max(1, total)
    ratio = sum(side.total * _relative(side.share, pooled) for side in (selection, baseline))
    alone, in_runs = (
        sum(of_side) for of_side in zip(selection.variances(), baseline.variances(), strict=True)
    )
    return ratio * alone / in_runs if in_runs else ratio


def divergence(one: float, other: float) -> float:
    """The Jensen-Shannon divergence of two shares in bits, from 0 if equal to 1 for 0 and 1."""
    middle = (one + other) / 2
    both = (_relative(one, middle) + _relative(other, middle)) / 2
    return min(1.0, max(0.0, both / math.log(2)))


def _relative(share: float, reference: float) -> float:
    """The relative entropy of two shares, in nats; only 0 or 1 exclude their opposites."""
    return _part(share, reference) + _part(1 - share, 1 - reference)


def _part(share: float, reference: float) -> float:
    return share * math.log(share / reference) if share > 0 and reference > 0 else 0.0
