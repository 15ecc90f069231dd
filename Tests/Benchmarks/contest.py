"""How programs are compared: in turns, by their medians, against a target."""

import statistics
from dataclasses import dataclass, field
from typing import Callable

from stage import Failed


@dataclass
class Claim:
    """One row of the table: our figure, alone or compared with theirs, and what it should be."""

    what: str
    ours: str
    theirs: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    compare: str = "ratio"  # or "difference"
    unit: str = "ms"  # of the figures, and of the result unless that is a ratio

    def value(self, ours, theirs):
        if theirs is None:
            return ours
        return ours - theirs if self.compare == "difference" else ours / theirs

    def is_met_by(self, value):
        if self.at_most is not None:
            return value <= self.at_most
        return value >= self.at_least if self.at_least is not None else None


@dataclass
class Contest:
    """Contestants that take turns, each doing the same work and each checked for having done it.

    A contestant is a function that returns its figure, or several by name: "workq" has the figure
    "workq", or "workq.first", "workq.second". One that fails is out, and says why.
    """

    contestants: dict[str, Callable[[], float | dict[str, float]]]
    claims: list[Claim]
    times: float = 1  # so many turns for each of ROUNDS
    warms_up: bool = True
    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def hold(self, rounds):
        turns = max(1, round(rounds * self.times))
        for turn in range(-1 if self.warms_up else 0, turns):
            names = list(self.contestants)
            first = turn % len(names)  # nobody always comes after the same one
            for name in names[first:] + names[:first]:
                if name not in self.failures:
                    self._take_turn(name, counts=turn >= 0)
        return [self._row(claim, turns) for claim in self.claims]

    def _take_turn(self, name, counts):
        try:
            figures = self.contestants[name]()
        except Failed as reason:
            self.failures[name] = str(reason)
            return
        if counts:
            if not isinstance(figures, dict):
                figures = {"": figures}
            for figure, value in figures.items():
                self.samples.setdefault(f"{name}.{figure}".rstrip("."), []).append(value)

    def _row(self, claim, turns):
        row = {"what": claim.what, "turns": turns}
        row |= {"unit": claim.unit, "compare": claim.compare if claim.theirs else "value"}
        row |= {"at_most": claim.at_most, "at_least": claim.at_least}
        for side in (claim.ours, claim.theirs):
            failure = self.failures.get((side or "").split(".")[0])
            if failure:
                return row | {"verdict": "failed", "why": failure}
        ours = self.samples[claim.ours]
        theirs = self.samples[claim.theirs] if claim.theirs else [None] * len(ours)
        values = sorted(claim.value(*pair) for pair in zip(ours, theirs))
        row["ours"] = statistics.median(ours)
        row["theirs"] = statistics.median(theirs) if claim.theirs else None
        row["value"] = claim.value(row["ours"], row["theirs"])
        row["quartiles"] = [values[len(values) // 4], values[-1 - len(values) // 4]]
        met = claim.is_met_by(row["value"])
        return row | {"verdict": "for information" if met is None else "met" if met else "missed"}
