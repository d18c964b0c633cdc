"""Spectra of principal components, power-law fits and their controls (chapter 4)."""

from dataclasses import dataclass

import numpy as np

from critlib import _checks
from critlib._blocks import Standardized, spans


def covariance_spectrum(X, *, zscore=True):
    r"""Variances of the principal components of recorded activity.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity. float32 is kept, other types are computed in float64.
    zscore : bool, default True
        Give each neuron unit variance first, as the paper does. False only removes its mean.

    Returns
    -------
    ndarray, shape (k,)
        Eigenvalues of the covariance, normalised by the number of time points, from the largest
        down; ``k = min(n_neurons, n_timepoints - 1)`` is the rank that the data can have. With
        `zscore` they sum to the number of neurons. Values at the level of rounding errors are 0.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional, has fewer than two time points, holds NaN or infinite
        values, or (with `zscore`) has a constant neuron.
    TypeError
        If `X` is not real.

    Notes
    -----
    The smaller of the two Gram matrices is decomposed: neurons by neurons or times by times.
    These variances include the noise of single neurons and of finite sampling; chapters 4 and 5
    show how much.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(100))
    >>> covariance_spectrum([x, 2 * x, -x]).round(6)
    array([3., 0., 0.])
    """
    X = _checks.activity(X)
    Z = Standardized(X, unit_variance=_checks.boolean(zscore, "zscore"))
    n, n_times = X.shape
    if n <= n_times:
        gram = Z.covariance()
    else:
        parts = (Z(rows) for rows in spans(n, max(1, 2**23 // n_times)))
        gram = sum(part.T @ part for part in parts) / X.dtype.type(n_times)
    values = np.linalg.eigvalsh(gram)[::-1]
    # what rounding leaves of a variance of zero must not be fitted as if it were data
    rounding = 2 * np.sqrt(len(values)) * np.finfo(X.dtype).eps * values[0]
    return np.where(values > rounding, values, 0)[: min(n, n_times - 1)]


@dataclass(frozen=True)
class PowerLaw:
    """A fitted power law, variance = amplitude * rank ** -exponent.

    Parameters
    ----------
    exponent : float
        How steeply variances fall with rank; positive for falling spectra.
    amplitude : float
        Variance that the fit gives to rank 1.
    ranks : tuple of int
        First and last rank of the fit, both included, counted from 1.
    """

    exponent: float
    amplitude: float
    ranks: tuple[int, int]

    def predict(self, ranks):
        """Variance on the fitted line.

        Parameters
        ----------
        ranks : array_like
            Ranks, greater than 0, any shape.

        Returns
        -------
        ndarray
            ``amplitude * ranks ** -exponent``, same shape as `ranks`.

        Raises
        ------
        ValueError
            If a rank is not greater than 0.
        TypeError
            If `ranks` is not real.

        Examples
        --------
        >>> PowerLaw(exponent=1.0, amplitude=6.0, ranks=(1, 3)).predict([1, 2, 3])
        array([6., 3., 2.])
        """
        ranks = _checks.numeric_array(ranks, "ranks").astype(float)
        if not np.all(ranks > 0):
            bad = ranks[~(ranks > 0)][0]
            raise ValueError(f"ranks holds {bad:g}: it must be greater than 0, ranks count from 1")
        return self.amplitude * ranks**-self.exponent


def fit_power_law(variances, *, ranks=(11, 500)):
    r"""Fit a power law to variances against their rank.

    Weighted least squares of log variance on log rank, with weight 1/rank, so that every factor
    of the rank counts about equally.

    Parameters
    ----------
    variances : array_like, shape (k,)
        Variances of principal components from the largest down.
    ranks : tuple of two int, default (11, 500)
        First and last rank to fit, both included, counted from 1. The default is the paper's; for
        a shorter spectrum pass ``default_ranks(len(variances))``.

    Returns
    -------
    PowerLaw
        With ``exponent``, ``amplitude``, ``ranks`` and ``predict``.

    Raises
    ------
    ValueError
        If `variances` is not one-dimensional and finite, if `ranks` is not a rising pair within
        the spectrum, or if a variance to be fitted is not positive.
    TypeError
        If a rank is not a whole number, or `variances` is not real.

    Notes
    -----
    The article words the weight as the inverse of the logarithm of the rank; its numbers are
    computed with 1/rank, and so are ours.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_power_law(5.0 * np.arange(1, 1001) ** -0.69)
    >>> round(fit.exponent, 6), round(fit.amplitude, 6)
    (0.69, 5.0)
    """
    variances = _checks.real_array(variances, "variances", ndim=1).astype(float)
    first, last = _rank_pair(ranks, len(variances))
    rank = np.arange(first, last + 1)
    fitted = variances[first - 1 : last]
    if not np.all(fitted > 0):
        bad = rank[fitted <= 0]
        raise ValueError(
            f"variances holds a value that is not positive at rank {bad[0]}: a power law has none; "
            f"end ranks before it, for example ranks=({first}, {max(first, bad[0] - 1)})"
        )
    # np.polyfit multiplies residuals, not their squares, by its weights
    slope, intercept = np.polyfit(np.log(rank), np.log(fitted), 1, w=rank**-0.5)
    return PowerLaw(exponent=float(-slope), amplitude=float(np.exp(intercept)), ranks=(first, last))


def default_ranks(k):
    """Ranks that the paper fits in a spectrum of `k` values.

    Parameters
    ----------
    k : int
        Length of the spectrum, at least 22.

    Returns
    -------
    tuple of two int
        (11, 500) if there are 500 values or more, otherwise 10 to half the length.

    Raises
    ------
    ValueError
        If `k` < 22: too short for a fit of two or more ranks.
    TypeError
        If `k` is not a whole number.

    Examples
    --------
    >>> default_ranks(10_000), default_ranks(200)
    ((11, 500), (10, 100))
    """
    k = _checks.integer(k, "k", low=22)
    return (11, 500) if k >= 500 else (10, k // 2)


def participation_ratio(variances):
    r"""Participation ratio of a spectrum, a smooth count of its dimensions.

    Parameters
    ----------
    variances : array_like, shape (k,)
        Variances, at least 0 and not all 0.

    Returns
    -------
    float
        ``(sum of variances)**2 / (sum of their squares)``, between 1 and k.

    Raises
    ------
    ValueError
        If a variance is negative or not finite, or all are 0.
    TypeError
        If `variances` is not real.

    Examples
    --------
    >>> participation_ratio([1.0, 1.0, 1.0, 0.0])
    3.0
    """
    variances = _variances(variances)
    variances = variances / variances.max()
    return float(variances.sum() ** 2 / (variances**2).sum())


def n_dimensions(variances, *, fraction=0.5):
    r"""How many principal components hold a given fraction of the variance.

    Parameters
    ----------
    variances : array_like, shape (k,)
        Variances, at least 0 and not all 0, in any order.
    fraction : float, default 0.5
        Fraction of the total variance, greater than 0, at most 1.

    Returns
    -------
    int
        Smallest number of components, largest first, that reach the fraction.

    Raises
    ------
    ValueError
        If `fraction` or a variance is out of range.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> n_dimensions([4.0, 3.0, 2.0, 1.0], fraction=0.7)
    2
    """
    fraction = _checks.real(fraction, "fraction", low=0, high=1, open_low=True)
    variances = _variances(variances)
    held = np.cumsum(np.sort(variances / variances.max())[::-1])
    # 0.7 * 10 is a hair above 7: rounding must not ask for one component more
    return int(np.searchsorted(held, fraction * held[-1] * (1 - 1e-12)) + 1)


def shuffle_in_time(X, *, n_rounds=500, rng=None):
    r"""Destroy correlations between neurons and keep each neuron's own time course.

    In every round a random half of the neurons is shifted in time, around a circle, by one random
    lag. Afterwards each neuron has its own shift.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity.
    n_rounds : int, default 500
        Number of rounds, at least 0.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_neurons, n_timepoints)
        A new array.

    Raises
    ------
    ValueError
        If `X` is malformed or `n_rounds` negative.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Shifts around a circle add up, so the rounds are done on the shifts and the data move once.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(12.0).reshape(2, 6)
    >>> np.sort(shuffle_in_time(X, rng=0)).tolist() == X.tolist()
    True
    """
    X = _checks.activity(X)
    n_rounds = _checks.integer(n_rounds, "n_rounds", low=0)
    rng = _checks.rng_from(rng)
    n, n_times = X.shape
    shift = np.zeros(n, dtype=np.int64)
    for _ in range(n_rounds):
        half = rng.permutation(n)[: n // 2]
        shift[half] += rng.integers(n_times)
    out = np.empty_like(X)
    for row, source, lag in zip(out, X, shift, strict=True):
        row[:] = np.roll(source, lag % n_times)
    return out


def bin_in_time(X, factor):
    r"""Average consecutive time bins.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity.
    factor : int
        How many bins become one, from 1 to the number of time points. An incomplete last bin is
        left out.

    Returns
    -------
    ndarray, shape (n_neurons, n_timepoints // factor)
        A new array.

    Raises
    ------
    ValueError
        If `X` is malformed or `factor` out of range.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> bin_in_time([[1.0, 3.0, 5.0, 7.0, 9.0]], 2)
    array([[2., 6.]])
    """
    X = _checks.activity(X, min_times=1)
    factor = _checks.integer(factor, "factor", low=1, high=X.shape[1])
    n_bins = X.shape[1] // factor
    return X[:, : n_bins * factor].reshape(len(X), n_bins, factor).mean(axis=2)


def _variances(variances):
    variances = _checks.real_array(variances, "variances", ndim=1).astype(float)
    if variances.min() < 0:
        raise ValueError(f"variances holds {variances.min():g}: a variance cannot be negative")
    if variances.max() == 0:
        raise ValueError("variances are all 0: there is nothing to count")
    return variances


def _rank_pair(ranks, k):
    try:
        first, last = ranks
    except (TypeError, ValueError):
        raise ValueError(f"ranks is {ranks!r}: pass two ranks, first and last") from None
    first = _checks.integer(first, "ranks[0]", low=1)
    last = _checks.integer(last, "ranks[1]", low=1)
    if first >= last:
        raise ValueError(f"ranks is ({first}, {last}): the first must come before the last")
    if last > k:
        raise ValueError(
            f"ranks is ({first}, {last}) but the spectrum has {k} values: "
            + (
                f"pass ranks={default_ranks(k)}, as the paper does for short spectra"
                if k >= 22
                else "at least 22 are needed for the paper's fit; choose ranks within the spectrum"
            )
        )
    return first, last
