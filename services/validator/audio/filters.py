"""Recursive filters as matrix products, so that BLAS does the work.

A filter of order n over a run of L samples is linear in those samples and in its state before
them: y = H x + O s, and the state after them is A s + R x. Runs are filtered all at once when the
states between them are known, and those follow from R x by a short recursion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from shared.adm.arrays import Block, Doubles

_ORDER = 4
_GROUP = 10
Biquad: TypeAlias = tuple[float, float, float, float, float]  # b0 b1 b2 a1 a2


def k_weighting(rate: int) -> tuple[Biquad, Biquad]:
    """Return the two stages of ITU-R BS.1770-4 annex 1, derived for any sample rate.

    The standard gives coefficients for 48 kHz only; these are the analogue filters behind them.
    """
    return _shelf(rate, 1681.974450955533, 3.999843853973347, 0.7071752369554196), _high_pass(
        rate, 38.13547087602444, 0.5003270373238773, unit_zeros=True
    )


def high_pass(rate: int, hertz: float) -> tuple[Biquad, Biquad]:
    """Return a Butterworth high-pass of 24 dB an octave."""
    return (
        _high_pass(rate, hertz, 1 / (2 * math.cos(math.pi / 8))),
        _high_pass(rate, hertz, 1 / (2 * math.cos(3 * math.pi / 8))),
    )


def _shelf(rate: int, hertz: float, gain_db: float, quality: float) -> Biquad:
    k = math.tan(math.pi * hertz / rate)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    norm = 1 + k / quality + k * k
    return (
        (high + band * k / quality + k * k) / norm,
        2 * (k * k - high) / norm,
        (high - band * k / quality + k * k) / norm,
        2 * (k * k - 1) / norm,
        (1 - k / quality + k * k) / norm,
    )


def _high_pass(rate: int, hertz: float, quality: float, *, unit_zeros: bool = False) -> Biquad:
    k = math.tan(math.pi * hertz / rate)
    norm = 1 + k / quality + k * k
    zero = 1.0 if unit_zeros else 1 / norm
    return zero, -2 * zero, zero, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm


@dataclass(frozen=True, slots=True)
class _StateSpace:
    """One step of a cascade: s' = a s + b x, y = c s + d x."""

    a: Doubles
    b: Doubles
    c: Doubles
    d: float


def _cascade(first: Biquad, second: Biquad) -> _StateSpace:
    one, two = _biquad(first), _biquad(second)
    a = np.block([[one.a, np.zeros((2, 2))], [np.outer(two.b, one.c), two.a]])
    return _StateSpace(
        a,
        np.concatenate([one.b, two.b * one.d]),
        np.concatenate([two.d * one.c, two.c]),
        one.d * two.d,
    )


def _biquad(stage: Biquad) -> _StateSpace:
    b0, b1, b2, a1, a2 = stage
    return _StateSpace(
        np.array([[-a1, 1.0], [-a2, 0.0]]),
        np.array([b1 - a1 * b0, b2 - a2 * b0]),
        np.array([1.0, 0.0]),
        b0,
    )


def _powers(matrix: Doubles, count: int) -> list[Doubles]:
    """Return the powers from 0 to ``count``."""
    powers = [np.eye(len(matrix))]
    for _ in range(count):
        powers.append(matrix @ powers[-1])
    return powers


def _lagged(response: Doubles) -> Doubles:
    """Return the lower triangle in which each row is the response, one step later."""
    rows, columns = np.indices((len(response), len(response)))
    lagged: Doubles = np.where(rows >= columns, response[np.maximum(rows - columns, 0)], 0.0)
    return lagged


@dataclass(slots=True)
class BlockFilter:
    """Two biquads over any number of channels; ``run`` samples are filtered by one product."""

    stages: tuple[Biquad, Biquad]
    channels: int
    run: int
    _output: Block = field(init=False)
    _driven: Block = field(init=False)
    _over_group: Doubles = field(init=False)
    _gathered: Doubles = field(init=False)
    _carried: Doubles = field(init=False)
    _state: Doubles = field(init=False)

    def __post_init__(self) -> None:
        """Unroll the recursion over one run, and that of the states over a group of runs."""
        step = _cascade(*self.stages)
        powers = _powers(step.a, self.run)
        response = np.array([step.d, *(step.c @ power @ step.b for power in powers[:-2])])
        observed = np.stack([step.c @ power for power in powers[:-1]])
        self._output = np.hstack([_lagged(response), observed]).astype(np.float32)
        driven = np.stack([power @ step.b for power in powers[-2::-1]], axis=1)
        self._driven = driven.astype(np.float32)
        over = _powers(powers[-1], _GROUP)
        zero = np.zeros((_ORDER, _ORDER))
        rows = [[over[i - j - 1] if j < i else zero for j in range(_GROUP)] for i in range(_GROUP)]
        self._gathered = np.block([*rows, over[-2::-1]])
        self._carried = np.vstack([*over[:-1], zero])
        self._over_group = over[-1]
        self._state = np.zeros((_ORDER, self.channels))

    def filter(self, block: Block) -> Block:
        """Return the filtered block as runs x ``run`` x channels; its length is whole runs."""
        runs = block.reshape(-1, self.run, self.channels)
        inputs = np.empty((len(runs), self.run + _ORDER, self.channels), np.float32)
        inputs[:, : self.run] = runs
        inputs[:, self.run :] = self._states(np.matmul(self._driven, runs))
        filtered: Block = np.matmul(self._output, inputs)
        return filtered

    def _states(self, driven: Block) -> Doubles:
        """Return the state before each run, and keep the one after the last.

        States advance by groups of runs; inside a group each is a product of the group's inputs.
        """
        runs, groups = len(driven), -(-len(driven) // _GROUP)
        inputs = np.zeros((groups * _GROUP, _ORDER, self.channels))
        inputs[:runs] = driven
        inside = np.matmul(self._gathered, inputs.reshape(groups, _GROUP * _ORDER, self.channels))
        starts = np.empty((groups + 1, _ORDER, self.channels))
        starts[0] = self._state
        for group in range(groups):
            starts[group + 1] = self._over_group @ starts[group] + inside[group, -_ORDER:]
        inside += np.matmul(self._carried, starts[:-1])
        before = inside[:, :-_ORDER].reshape(-1, _ORDER, self.channels)
        self._state = before[runs] if runs < len(before) else starts[-1]
        states: Doubles = before[:runs]
        return states
