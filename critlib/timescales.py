"""How long activity remembers: autocorrelations of noisy principal components (chapter 6)."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage

from critlib import _checks
from critlib._blocks import Standardized
from critlib.shared_variance import _halves, _n_components, _svd, alternating_blocks


@dataclass(frozen=True, eq=False)
class PCAutocorrelations:
    """Autocorrelations of principal components.

    Parameters
    ----------
    lags : ndarray, shape (n_lags,)
        Seconds, from 0.
    correlation : ndarray, shape (k, n_lags)
        One row per component, 1 at lag 0.
    variances : ndarray, shape (k,)
        Shared variance of each component at test times; the order of the rows is by falling
        variance at training times, so these need not be sorted, and the last may be negative.
    """

    lags: np.ndarray
    correlation: np.ndarray
    variances: np.ndarray


def pc_autocorrelations(
    X, dt, *, max_lag, halves=None, smooth=0.0, n_components=None, n_blocks=None, rng=None
):
    r"""Autocorrelations of principal components, to which private noise adds nothing.

    Each component is seen twice, through two halves of the neurons. Correlating one view with the
    other at different times leaves out the noise of either, which would make an ordinary
    autocorrelation drop at the first lag.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity. float32 is kept; a memory map is read piece by piece.
    dt : float
        Bin width in seconds, greater than 0.
    max_lag : float
        Longest lag in seconds, at least one bin; blocks of time have to be longer.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half, such as `shared_variance.checkerboard` gives; a random
        half unless given.
    smooth : float, default 0.0
        Standard deviation in seconds of a Gaussian that smooths activity before components are
        looked for, at least 0 and at most the length of the recording. The paper uses two bins
        for spikes. Correlations are those of activity that is not smoothed.
    n_components : int, optional
        How many leading components; at most 500 unless given.
    n_blocks : int, optional
        Time is cut into this many blocks, which serve in turn to find components and to correlate
        them. Unless given, a block is about five times `max_lag`, and there are at least two.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    PCAutocorrelations
        ``lags``, ``correlation`` and ``variances``. Components without shared variance at test
        times have no correlation: their rows are nan.

    Raises
    ------
    ValueError
        If `X` is malformed or has a constant neuron, `halves` is malformed, a number is out of
        range, or blocks are not longer than `max_lag`.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    In a linear network with symmetric A, component i has ``exp(-(1 - lambda_i) t / tau)``, which
    is ``exp(-t / (2 v_i tau))`` for a component of variance v_i. At lag l, correlation is the mean
    of ``a(t + l) b(t)`` and ``a(t) b(t + l)`` over pairs within a block, for the two views a and b.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 3a, b and Methods.

    Examples
    --------
    >>> import numpy as np
    >>> from critlib import dynamics
    >>> signal = dynamics.LinearNetwork([[0.95]]).simulate(2_000, 0.1, average=False, rng=0)
    >>> noisy = signal / signal.std() + np.random.default_rng(0).standard_normal((50, 20_000))
    >>> found = pc_autocorrelations(noisy, 0.1, max_lag=5, n_components=1, rng=0)
    >>> decay_time(found.lags, found.correlation).round(1)  # tau / (1 - 0.95) = 0.4 s
    array([0.4])
    """
    X = _checks.activity(X, min_times=4)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    rng = _checks.rng_from(rng)
    halves = _halves(halves, len(X), rng)
    n_times = X.shape[1]
    smooth = _checks.real(smooth, "smooth", low=0)
    if smooth > n_times * dt:
        raise ValueError(
            f"smooth is {smooth:g} s: the recording has {n_times * dt:g} s; pass a few bins, for "
            f"example {2 * dt:g}"
        )
    max_lag = _checks.real(max_lag, "max_lag", low=0, open_low=True)
    n_lags = round(min(max_lag / dt, n_times))
    if n_lags < 1:
        raise ValueError(f"max_lag is {max_lag:g} s: pass at least one bin, {dt:g} s")
    if n_blocks is None:
        n_blocks = max(2, 2 * (n_times // (10 * n_lags)))
    n_blocks = _checks.integer(n_blocks, "n_blocks", low=2, high=n_times // 2)
    if n_times // n_blocks <= n_lags:
        raise ValueError(
            f"max_lag is {max_lag:g} s but blocks of time have {n_times // n_blocks * dt:g} s "
            f"({n_blocks} of {n_times * dt:g} s): shorten max_lag, or use fewer blocks, at least 2"
        )
    first, second = np.flatnonzero(halves), np.flatnonzero(~halves)
    if n_components is None:
        n_components = min(500, len(first), len(second), n_times - 1)
    k = _n_components(n_components, first, second, n_times - 1)

    Z = Standardized(X)
    train, test = alternating_blocks(n_times, n_blocks)
    if smooth > 0:
        smoothed = scipy.ndimage.gaussian_filter1d(X, smooth / dt, axis=1)
        C = Standardized(smoothed).covariance(first, second, times=train)
        del smoothed
    else:
        C = Z.covariance(first, second, times=train)
    U, _, V = _svd(C, k, rng)
    a, b = Z.project(U, first), Z.project(V, second)
    covariance = _cross_covariance(a, b, test, n_lags)
    variances = covariance[:, 0]
    if smooth > 0:  # components were found in smoothed activity: order by what is raw
        order = np.argsort(-np.mean([(a[:, t] * b[:, t]).sum(axis=1) for t in train], axis=0))
        covariance, variances = covariance[order], variances[order]
    at_zero = np.where(variances > 0, variances, np.nan)
    return PCAutocorrelations(np.arange(n_lags + 1) * dt, covariance / at_zero[:, None], variances)


def noise_floor(found):
    r"""Standard deviation of the shared variance of a component that is not shared.

    Parameters
    ----------
    found : PCAutocorrelations
        With at least two lags above 0, the longer half of which most components do not remember.

    Returns
    -------
    float
        In units of variance; nan if no component has shared variance.

    Raises
    ------
    ValueError
        If `found` has fewer than two lags above 0.
    TypeError
        If `found` is something else.

    Notes
    -----
    At lags that nothing remembers, the covariance of the two views is sampling error alone. It is
    smaller than at lag 0 by the square root of 2, being the mean of two that are independent. So
    this is the root of twice its mean square over the longer half of the lags, and of that the
    median over components, because a few may still remember.

    Examples
    --------
    Unit variance, 20,000 time points to test: 1 / sqrt(20,000) = 0.007.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((100, 40_000))
    >>> round(noise_floor(pc_autocorrelations(X, 0.1, max_lag=5, rng=0)), 3)
    0.007
    """
    if not isinstance(found, PCAutocorrelations):
        raise TypeError(
            f"found is {found!r} of type {type(found).__name__}: pass what pc_autocorrelations "
            "returns"
        )
    if len(found.lags) < 3:
        raise ValueError(
            f"found has {len(found.lags) - 1} lag(s) above 0: at least 2 are needed; compute it "
            "with a longer max_lag"
        )
    some = found.variances > 0
    if not some.any():
        return np.nan
    late = found.correlation[some, (len(found.lags) + 1) // 2 :] * found.variances[some, None]
    return float(np.median(np.sqrt(2 * np.mean(late**2, axis=1))))


def n_trusted(found, *, floors=4.0):
    r"""How many leading components share so much variance that it cannot be noise.

    Parameters
    ----------
    found : PCAutocorrelations
        With at least two lags above 0.
    floors : float, default 4.0
        The limit in units of `noise_floor`, greater than 0. The error of a correlation
        is about one over this at the last component that counts.

    Returns
    -------
    int
        Components before the first whose variance is not above the limit.

    Raises
    ------
    ValueError
        If `found` has fewer than two lags above 0, or `floors` is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Slow neurons that share nothing still agree by chance at the start of the next block of time.
    See how many components pass after `spectra.shuffle_in_time`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal(5_000) + rng.standard_normal((100, 5_000))
    >>> n_trusted(pc_autocorrelations(X, 0.1, max_lag=5, rng=0))
    1
    """
    floors = _checks.real(floors, "floors", low=0, open_low=True)
    limit = floors * noise_floor(found)
    above = found.variances > limit
    return len(above) if above.all() else int(np.argmin(above))


def decay_time(lags, correlation):
    r"""Lag at which a correlation has fallen to 1/e.

    Parameters
    ----------
    lags : array_like, shape (n_lags,)
        Lags in seconds, rising.
    correlation : array_like, shape (n_lags,) or (k, n_lags)
        Correlations, one row per component; nan where there is none.

    Returns
    -------
    float, or ndarray of shape (k,)
        Seconds: where the line between the last lag above 1/e and the first one below crosses it.
        inf if no lag is below, nan if a row holds nan or infinite values.

    Raises
    ------
    ValueError
        If `lags` does not rise, or does not match `correlation`.
    TypeError
        If an argument is not real.

    Notes
    -----
    For an exponential this is its time constant. The line is drawn in log correlation, where an
    exponential is straight, unless the lower value is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> lags = np.linspace(0, 5, 51)
    >>> round(decay_time(lags, np.exp(-lags / 2)), 6)
    2.0
    """
    lags = _checks.real_array(lags, "lags", ndim=1)
    correlation = _checks.numeric_array(correlation, "correlation").astype(float)
    falls = np.flatnonzero(np.diff(lags) <= 0)
    if falls.size:
        before, after = lags[falls[0] : falls[0] + 2]
        raise ValueError(
            f"lags holds {after:g} after {before:g}: they must rise; sort them, and the columns of "
            "correlation with them"
        )
    if correlation.ndim not in (1, 2) or correlation.shape[-1] != len(lags):
        raise ValueError(
            f"correlation has shape {correlation.shape} for {len(lags)} lags: its last axis must "
            "be as long as lags"
        )
    if correlation.ndim == 2:
        return np.array([decay_time(lags, row) for row in correlation])
    if not np.isfinite(correlation).all():
        return np.nan
    below = np.flatnonzero(correlation <= np.exp(-1))
    if below.size == 0:
        return np.inf
    j = below[0]
    if j == 0:
        return float(lags[0])
    high, low = correlation[j - 1], correlation[j]
    if low > 0:
        part = (np.log(high) + 1) / (np.log(high) - np.log(low))
    else:
        part = (high - np.exp(-1)) / (high - low)
    return float(lags[j - 1] + part * (lags[j] - lags[j - 1]))


def _cross_covariance(a, b, times, n_lags):
    """Average over blocks of a(t + l) b(t) and a(t) b(t + l), shape (k, n_lags + 1)."""
    total, pairs = 0, 0
    for block in times:
        n = block.stop - block.start
        size = scipy.fft.next_fast_len(n + n_lags, real=True)
        fa, fb = (scipy.fft.rfft(view[:, block], size, axis=1) for view in (a, b))
        # of real series: the real part of the cross-spectrum holds both directions, averaged
        both = scipy.fft.irfft((fa * fb.conj()).real, size, axis=1)
        total = total + both[:, : n_lags + 1].astype(np.float64)
        pairs = pairs + np.maximum(n - np.arange(n_lags + 1), 0)
    return total / pairs
