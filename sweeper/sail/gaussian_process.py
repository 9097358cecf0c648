"""A Gaussian process: what a trial would give, and how sure that is, from the trials that there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-8
_BOUNDS = {"scale": (-4.6, 6.0), "signal": (-4.6, 4.6), "noise": (-16.0, 2.0)}  # natural logarithms
_SIGNAL, _NOISE = (0.0, 1.0), (-6.0, 2.0)  # means and deviations of their logarithms
_ITERATIONS = 40


@dataclass(frozen=True)
class Kernel:
    """Matern-5/2 with a length scale for each dimension (automatic relevance determination), and noise."""

    scales: np.ndarray  # (dimensions,) lengths over which outputs stay alike
    signal: float  # variance of the standardised output
    noise: float  # variance of what two equal trials differ by


@dataclass(frozen=True)
class GaussianProcess:
    kernel: Kernel
    _features: np.ndarray  # (n, features) divided by the scales
    _scales: np.ndarray  # (features,)
    _factor: np.ndarray  # (n, n) lower Cholesky factor of the covariance
    _weights: np.ndarray  # (n,)
    _mean: float
    _deviation: float

    @property
    def noise(self) -> float:
        """Standard deviation, in the outputs' own units, of what two equal trials differ by."""
        return self._deviation * float(np.sqrt(self.kernel.noise))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n, features) -> (n,) means."""
        return self._mean + self._deviation * (self._covariance(features) @ self._weights)

    def predict_with_deviation(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, features) -> means and standard deviations of the output without its noise, (n,) each."""
        covariance = self._covariance(features)
        explained = solve_triangular(self._factor, covariance.T, lower=True, check_finite=False)
        variance = np.maximum(self.kernel.signal - np.einsum("ij,ij->j", explained, explained), 1e-12)
        return self._mean + self._deviation * (covariance @ self._weights), self._deviation * np.sqrt(variance)

    def _covariance(self, features: np.ndarray) -> np.ndarray:
        return self.kernel.signal * _matern(_squared_distances(features / self._scales, self._features))


def fit(
    features: np.ndarray,
    outputs: np.ndarray,
    groups: np.ndarray,
    *,
    extra_noise: np.ndarray | None = None,
    start: Kernel | None = None,
    learn: bool = True,
) -> GaussianProcess:
    """Maximum a posteriori, by L-BFGS on the analytic gradient.

    features: (n, features). outputs: (n,), finite. groups: (features,) the dimension whose length scale a feature has.
    extra_noise: (n,) variances, in units of the outputs' own, of what is only known roughly.
    start: where to begin, usually the kernel of a moment ago. learn: False keeps `start` as it is.
    Priors: log-normal; those of the length scales grow with the number of dimensions, as Hvarfner et al. 2024,
    arXiv:2402.02229, found it to be right for any of them.
    """
    mean, deviation = float(np.mean(outputs)), float(np.std(outputs)) or 1.0
    standard = (outputs - mean) / deviation
    extra = np.zeros(len(outputs)) if extra_noise is None else extra_noise
    dimensions = int(groups.max()) + 1
    kernel = start or Kernel(np.full(dimensions, np.sqrt(dimensions)), 1.0, np.exp(_NOISE[0]))
    if learn and len(outputs) > 1:
        kernel = _learned(kernel, _by_dimension(features, groups), standard, extra)
    scales = kernel.scales[groups]
    scaled = features / scales
    covariance = kernel.signal * _matern(_squared_distances(scaled, scaled))
    covariance[np.diag_indices_from(covariance)] += kernel.noise + extra + _JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), standard, check_finite=False)
    return GaussianProcess(kernel, scaled, scales, factor, weights, mean, deviation)


def _learned(kernel: Kernel, squared: np.ndarray, outputs: np.ndarray, extra: np.ndarray) -> Kernel:
    """squared: (dimensions, n, n)."""
    dimensions = len(squared)
    means = np.array([np.sqrt(2) + np.log(dimensions) / 2 - 1] * dimensions + [_SIGNAL[0], _NOISE[0]])
    deviations = np.array([np.sqrt(3.0)] * dimensions + [_SIGNAL[1], _NOISE[1]])
    bounds = [_BOUNDS["scale"]] * dimensions + [_BOUNDS["signal"], _BOUNDS["noise"]]

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _negative_log_likelihood(logs, squared, outputs, extra)
        away = (logs - means) / deviations
        return value + 0.5 * float(away @ away), gradient + away / deviations

    begin = np.log([*kernel.scales, kernel.signal, kernel.noise])
    low, high = np.array(bounds).T
    found = minimize(
        loss, np.clip(begin, low, high), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS}
    )
    *scales, signal, noise = np.exp(found.x)
    return Kernel(np.array(scales), float(signal), float(noise))


def _negative_log_likelihood(
    logs: np.ndarray, squared: np.ndarray, outputs: np.ndarray, extra: np.ndarray
) -> tuple[float, np.ndarray]:
    """And its gradient by the logarithms. Source: Rasmussen and Williams 2006, equations 5.8 and 5.9."""
    inverse_squares = np.exp(-2 * logs[:-2])
    signal, noise = np.exp(logs[-2:])
    distances = np.sqrt(np.einsum("g,gij->ij", inverse_squares, squared, optimize=True))
    decay = np.exp(-_ROOT5 * distances)
    correlation = (1 + _ROOT5 * distances + 5 / 3 * distances**2) * decay
    covariance = signal * correlation
    covariance[np.diag_indices_from(covariance)] += noise + extra + _JITTER
    try:
        factor = cholesky(covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:  # as good as singular: somewhere else is better
        return 1e10, np.zeros_like(logs)
    weights = cho_solve((factor, True), outputs, check_finite=False)
    value = 0.5 * outputs @ weights + np.log(np.diag(factor)).sum()
    inverse = cho_solve((factor, True), np.eye(len(outputs)), check_finite=False)
    outer = inverse - np.outer(weights, weights)
    by_distance = outer * (signal * 5 / 3 * (1 + _ROOT5 * distances) * decay)
    by_scales = 0.5 * np.einsum("ij,gij->g", by_distance, squared, optimize=True) * inverse_squares
    by_signal = 0.5 * signal * np.sum(outer * correlation)
    by_noise = 0.5 * noise * np.trace(outer)
    return float(value), np.array([*by_scales, by_signal, by_noise])


def _by_dimension(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Squared distances of n trials along each dimension: (dimensions, n, n)."""
    squared = np.zeros((int(groups.max()) + 1, len(features), len(features)))
    for column, group in enumerate(groups):
        squared[group] += (features[:, None, column] - features[None, :, column]) ** 2
    return squared


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n, features) and (m, features) -> (n, m)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2 * one @ other.T
    return np.maximum(squared, 0)


def _matern(squared: np.ndarray) -> np.ndarray:
    distances = np.sqrt(squared)
    return (1 + _ROOT5 * distances + 5 / 3 * squared) * np.exp(-_ROOT5 * distances)
