"""One page about a recording: what it measures, beside simulations of the same size and noise.

``python -m critlib report FILE`` writes it; chapter 10 does the same by hand.
"""

import base64
import html
import io
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

from critlib import (
    _checks,
    dmd,
    dynamics,
    ensembles,
    normalization,
    plots,
    shared_variance,
    spectra,
    timescales,
)

# What the recording is compared with: symmetry of the connectivity and its largest eigenvalue.
NETWORKS = {
    "symmetric": (1.0, 0.998),
    "non-symmetric": (0.0, 0.998),
    "sub-critical": (1.0, 0.9),
}
_FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1)
_MIN_NEURONS, _MIN_BINS = 44, 200
# Limits of the fraction of lagged covariance that rotation makes: above the first, by two standard
# errors, there is rotation; if it cannot be above the second, there is none that counts.
_ROTATES, _AT_MOST = 0.02, 0.05
# The few slowest modes of a non-symmetric network may all be real. So with fewer components above
# the noise, the absence of rotation says nothing, unless the largest is no larger than this many
# times that of a symmetric network: a single real mode that outlasts pairs has more variance.
_MIN_SHARED, _MOST_TOP = 5, 2.5


@dataclass(frozen=True, eq=False)
class Evidence:
    """The numbers on which a verdict rests.

    Parameters
    ----------
    top : float
        Largest shared variance.
    n_shared : int
        How many components share variance at times that were not used to find them.
    asymmetry : float
        Fraction of the lagged covariance of leading shared components (at most 20) that would
        change sign if time ran backwards, at lags of 0.23, 0.46, 0.92 and 1.84 s together; 0 in
        symmetric networks.
    asymmetry_error : float
        Its standard error.
    """

    top: float
    n_shared: int
    asymmetry: float
    asymmetry_error: float


@dataclass(frozen=True, eq=False)
class Measures(Evidence):
    """Everything the report measures in one recording or simulation.

    Parameters
    ----------
    top, n_shared, asymmetry, asymmetry_error
        As in `Evidence`.
    shared : ndarray, shape (k,)
        Shared variance by SVCA2.
    fit : spectra.PowerLaw
        Power law fitted to it.
    error : float
        Standard error of its exponent, by leaving out blocks of time.
    direct : float
        Exponent of the ordinary principal components.
    autocorrelations : timescales.PCAutocorrelations
        Of the leading components.
    timescale : float
        Typical decay time of the leading five components that share variance, in seconds; inf if
        beyond the longest lag, nan if there is none.
    slope, r : float
        Slope and Pearson's correlation of log autocorrelation at 0.23 s against log rank, over
        all components that do; nan if there are fewer than five.
    eigenvalues : ndarray of complex
        Of the dynamic mode decomposition.
    rotations : ndarray
        Turns per tenfold attenuation.
    by_neurons, by_duration : tuple of float
        Exponents from an eighth, a quarter, half and all of the neurons, or of the time; nan where
        that leaves too little for a fit.
    first_component : ndarray, shape (n_neurons,)
        Weights of the neurons in the first principal component.
    """

    shared: np.ndarray
    fit: spectra.PowerLaw
    error: float
    direct: float
    autocorrelations: timescales.PCAutocorrelations
    timescale: float
    slope: float
    r: float
    eigenvalues: np.ndarray
    rotations: np.ndarray
    by_neurons: tuple[float, ...]
    by_duration: tuple[float, ...]
    first_component: np.ndarray


def measure(X, dt, *, halves=None, ridge=0.01, rng=None):
    r"""Measure a recording as the report does.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity without constant neurons; at least 44 neurons and 200 time points.
    dt : float
        Bin width in seconds, greater than 0.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half; a random half unless given.
    ridge : float, default 0.01
        Penalty of the dynamic mode decomposition; 0.1 for spikes.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Measures

    Raises
    ------
    ValueError
        If `X` is malformed, too small, or has a constant neuron, or a number is out of range.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((100, 1_000))
    >>> measure(X, 0.046, rng=0).n_shared < 5
    True
    """
    X, dt, halves, rng = _measurable(X, dt, halves, rng)
    n, n_times = X.shape
    shared, found, brief = _evidence(X, dt, halves, rng)
    fit, n_shared, lag = _fit(shared), brief.n_shared, max(0.23, dt)
    decay = timescales.decay_time(found.lags, found.correlation[: min(n_shared, 5)])
    later = found.correlation[:n_shared, round(lag / dt)]
    rank = np.arange(1, n_shared + 1)
    positive = later > 0
    slope = r = np.nan
    if positive.sum() >= 5:
        x, y = np.log(rank[positive]), np.log(later[positive])
        slope, r = np.polyfit(x, y, 1)[0], np.corrcoef(x, y)[0, 1]
    fitted = dmd.fit_dmd(X, dt, lag=lag, ridge=ridge)
    order = rng.permutation(n)
    neurons = [np.sort(order[: round(part * n)]) for part in _FRACTIONS[:-1]]
    times = [slice(0, round(part * n_times)) for part in _FRACTIONS[:-1]]
    return Measures(
        **vars(brief),
        shared=shared,
        fit=fit,
        error=shared_variance.exponent_error(X, halves=halves, ranks=fit.ranks),
        direct=_fit(spectra.covariance_spectrum(X)).exponent,
        autocorrelations=found,
        timescale=float(np.median(decay)) if n_shared else np.nan,
        slope=float(slope),
        r=float(r),
        eigenvalues=fitted.eigenvalues,
        rotations=dmd.rotations_per_tenfold(fitted.eigenvalues),
        by_neurons=(*(_part_exponent(X[part], halves[part]) for part in neurons), fit.exponent),
        by_duration=(*(_part_exponent(X[:, part], halves) for part in times), fit.exponent),
        first_component=fitted.components[:, 0],
    )


def evidence(X, dt, *, halves=None, rng=None):
    r"""Measure only what a verdict rests on.

    Parameters
    ----------
    X, dt, halves, rng
        As for `measure`.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        As for `measure`.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((100, 1_000))
    >>> evidence(X, 0.046, rng=0).n_shared < 5
    True
    """
    return _evidence(*_measurable(X, dt, halves, rng))[-1]


def simulate_network(kind, n, n_bins, dt, *, rng=None):
    """Simulate one of the networks that recordings are compared with, without noise.

    Parameters
    ----------
    kind : str
        As for `simulate_like`.
    n, n_bins : int
        Number of neurons, at least 2, and of bins.
    dt : float
        Bin width in seconds, greater than 0.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float32, shape (n, n_bins)
        Activity of a new random network with tau = 20 ms.

    Raises
    ------
    ValueError
        If `kind` is unknown or a number is out of range.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> simulate_network("non-symmetric", 50, 404, 0.046, rng=0).shape
    (50, 404)
    """
    symmetry, largest = NETWORKS[_checks.one_of(kind, "kind", tuple(NETWORKS))]
    n_bins = _checks.integer(n_bins, "n_bins", low=1)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    rng = _checks.rng_from(rng)
    A = ensembles.random_connectivity(n, symmetry=symmetry, rng=rng).astype(np.float32)
    network = dynamics.LinearNetwork(normalization.critically_normalize(A, target=largest))
    if symmetry == 1:
        return network.simulate(n_bins * dt, dt, rng=rng)
    # a step of ten short runs costs hardly more than one of a single run
    trials = network.simulate(-(-n_bins // 10) * dt, dt, n_trials=10, rng=rng)
    return trials.transpose(1, 0, 2).reshape(n, -1)[:, :n_bins]


def simulate_like(kind, X, dt, *, rng=None):
    r"""Simulate a network with the neurons, bins, duration and noise of a recording.

    Parameters
    ----------
    kind : str
        "symmetric" or "non-symmetric", both with largest eigenvalue 0.998, or "sub-critical",
        symmetric with 0.9.
    X : array_like, shape (n_neurons, n_timepoints)
        The recording.
    dt : float
        Bin width in seconds, greater than 0.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float32, shape (n_neurons, n_timepoints)
        Activity of a new random network with tau = 20 ms, with white noise on each neuron.

    Raises
    ------
    ValueError
        If `kind` is unknown, `X` malformed, or `dt` not positive.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Noise is matched neuron by neuron: as much as brings the correlation of neighbouring bins
    (`shared_variance.snr`) from that of the simulated neuron down to that of the recorded one.
    A recorded neuron with a higher correlation than the simulated one gets none.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((50, 400))
    >>> simulate_like("symmetric", X, 0.046, rng=0).shape
    (50, 400)
    """
    X = _checks.activity(X, min_times=20)
    rng = _checks.rng_from(rng)
    signal = simulate_network(kind, *X.shape, dt, rng=rng)
    return add_noise_like(signal, X, rng=rng)


def add_noise_like(signal, X, *, rng=None):
    """Add as much white noise to each neuron of a simulation as one of a recording has.

    Parameters
    ----------
    signal : array_like, shape (n_neurons, n_timepoints)
        Simulated activity without noise.
    X : array_like, shape (n_neurons, n_timepoints)
        The recording.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float32, shape (n_neurons, n_timepoints)
        Sum of signal and noise, of unit variance.

    Raises
    ------
    ValueError
        If `signal` or `X` is malformed, or they differ in shape.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal = np.cumsum(rng.standard_normal((50, 400)), axis=1)  # slow
    >>> noisy = add_noise_like(signal, rng.standard_normal((50, 400)), rng=rng)  # like noise
    >>> abs(shared_variance.snr(noisy).mean()) < 0.1 < shared_variance.snr(signal).mean()
    np.True_
    """
    signal, X = (_checks.activity(Y, min_times=20) for Y in (signal, X))
    if signal.shape != X.shape:
        raise ValueError(f"signal has shape {signal.shape} and X {X.shape}: they must agree")
    rng = _checks.rng_from(rng)
    signal = (signal / signal.std(axis=1, keepdims=True)).astype(np.float32)
    wanted = np.nan_to_num(shared_variance.snr(X))
    part = np.clip(wanted / shared_variance.snr(signal), 0.01, 1).astype(np.float32)[:, None]
    signal *= np.sqrt(part)
    for row, noise in zip(signal, np.sqrt(1 - part[:, 0])):
        row += noise * rng.standard_normal(signal.shape[1], dtype=np.float32)
    return signal


@dataclass(frozen=True, eq=False)
class Report:
    """What `make_report` found.

    Parameters
    ----------
    name : str
        Where the recording comes from.
    n_neurons, n_constant, n_bins : int
        Neurons that vary, neurons that do not and were left out, and bins.
    dt : float
        Bin width in seconds.
    snr : float
        Median over neurons of the correlation of neighbouring bins.
    checkerboard : bool
        Whether the halves of the neurons alternate in space; random halves otherwise.
    counts : bool
        Whether activity is counts of spikes.
    n_compared : int
        Neurons that were compared with simulations: all, or a random selection.
    whole : spectra.PowerLaw
        Fit to the shared variance of all neurons.
    whole_error : float
        Standard error of its exponent.
    shuffled : ndarray
        Shared variance after shuffling in time, of the neurons that are compared.
    shuffled_exponent, shuffled_error : float
        Its exponent and standard error.
    measures : dict of str to Measures
        Under "recording", and under the names in `NETWORKS`.
    excerpt : ndarray, shape (at most 200, n)
        Activity to look at, one minute of it.
    """

    name: str
    n_neurons: int
    n_constant: int
    n_bins: int
    dt: float
    snr: float
    checkerboard: bool
    counts: bool
    n_compared: int
    whole: spectra.PowerLaw
    whole_error: float
    shuffled: np.ndarray
    shuffled_exponent: float
    shuffled_error: float
    measures: dict
    excerpt: np.ndarray


def make_report(recording, *, max_neurons=2000, rng=0):
    r"""Measure a recording, its shuffle, and matched simulations.

    Parameters
    ----------
    recording : recordings.Recording
        At least 44 neurons that vary and 200 bins.
    max_neurons : int, default 2000
        A larger recording is compared with simulations through this many neurons, chosen at
        random; at least 44.
    rng : None, int or numpy.random.Generator, default 0
        Source of randomness; the default makes the same report each time.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the recording is too small.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    2,000 neurons and 30 minutes in bins of 46 ms take about two minutes on two cores.

    Examples
    --------
    >>> import numpy as np
    >>> from critlib.recordings import Recording
    >>> X = np.random.default_rng(0).standard_normal((60, 400))
    >>> sorted(make_report(Recording(X, dt=0.046)).measures)
    ['non-symmetric', 'recording', 'sub-critical', 'symmetric']
    """
    max_neurons = _checks.integer(max_neurons, "max_neurons", low=_MIN_NEURONS)
    rng = _checks.rng_from(rng)
    X, dt, positions = recording.activity, recording.dt, recording.positions
    varies = X.max(axis=1) > X.min(axis=1)
    n_constant = int(np.count_nonzero(~varies))
    if n_constant:
        X, positions = X[varies], None if positions is None else positions[varies]
    n, n_bins = X.shape
    if n < _MIN_NEURONS or n_bins < _MIN_BINS:
        raise ValueError(
            f"{recording.name or 'the recording'} has {n} neurons that vary and {n_bins} bins: a "
            f"report needs at least {_MIN_NEURONS} and {_MIN_BINS}"
        )
    counts = bool(X.min() >= 0 and all(np.array_equal(row, np.round(row)) for row in X))
    halves, checkerboard = _halves(positions, n, counts, rng)

    steps = ["exponent of the whole", "recording", "shuffled in time", *NETWORKS]
    with tqdm(total=len(steps), unit="step", bar_format="{desc:28}{bar:20}{n}/{total}") as bar:

        def doing(step):
            bar.set_description_str(step)

        doing(steps[0])
        chosen = np.arange(n)
        if n > max_neurons:  # half of them from each half
            sides = (rng.permutation(np.flatnonzero(side)) for side in (halves, ~halves))
            chosen = np.sort(np.concatenate([side[: max_neurons // 2] for side in sides]))
        Y, half = (X, halves) if len(chosen) == n else (X[chosen], halves[chosen])
        ridge = 0.1 if counts else 0.01
        whole, whole_error = None, None
        if len(chosen) < n:
            k = 500 if n > 10_000 else None  # all of them would take long
            shared = shared_variance.svca2(X, halves=halves, n_components=k, rng=rng)
            whole = _fit(shared)
            whole_error = shared_variance.exponent_error(X, halves=halves, ranks=whole.ranks)
        bar.update()
        doing(steps[1])
        measures = {"recording": measure(Y, dt, halves=half, ridge=ridge, rng=rng)}
        bar.update()
        doing(steps[2])
        Y_shuffled = spectra.shuffle_in_time(Y, rng=rng)
        shuffled = shared_variance.svca2(Y_shuffled, halves=half)
        control = _fit(shuffled)
        shuffled_error = shared_variance.exponent_error(
            Y_shuffled, halves=half, ranks=control.ranks
        )
        del Y_shuffled
        bar.update()
        for kind in NETWORKS:
            doing(kind)
            simulated = simulate_like(kind, Y, dt, rng=rng)
            measures[kind] = measure(simulated, dt, halves=half, ridge=ridge, rng=rng)
            bar.update()

    of_recording = measures["recording"]
    start = (n_bins - min(n_bins, round(60 / dt))) // 2
    rows = np.argsort(-of_recording.first_component, kind="stable")
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 200)).astype(int)]
    return Report(
        name=recording.name,
        n_neurons=n,
        n_constant=n_constant,
        n_bins=n_bins,
        dt=dt,
        snr=float(np.nanmedian(shared_variance.snr(Y))),
        checkerboard=checkerboard,
        counts=counts,
        n_compared=len(chosen),
        whole=whole or of_recording.fit,
        whole_error=of_recording.error if whole is None else whole_error,
        shuffled=shuffled,
        shuffled_exponent=control.exponent,
        shuffled_error=shuffled_error,
        measures=measures,
        excerpt=np.array(Y[rows, start : start + max(20, round(60 / dt))]),
    )


_QUESTIONS = (
    "Do neurons share activity beyond what shuffling in time leaves?",
    "Is the shared activity that of a network close to instability?",
    "Are the dynamics those of a symmetric network, without rotation?",
)


@dataclass(frozen=True)
class Finding:
    """One question to the recording, and what the report answers.

    Parameters
    ----------
    question, answer, reason : str
        In words. `answer` is "yes", "no" or "cannot tell".
    """

    question: str
    answer: str
    reason: str


def judge(data, shuffled_top, references):
    r"""Answer the three questions of a verdict.

    Parameters
    ----------
    data : Evidence
        From a recording.
    shuffled_top : float
        Its largest shared variance after shuffling in time.
    references : dict of str to Evidence
        From matched simulations, under the names in `NETWORKS`.

    Returns
    -------
    shared, critical, symmetric : str
        "yes", "no" or "cannot tell".

    Notes
    -----
    *Shared*: at least one component is told from noise, and the largest has 1.2 times the variance
    that it has after shuffling.

    *Critical*: the logarithm of the largest variance lies in the third of the way between the
    networks with largest eigenvalues 0.9 and 0.998 that is closer to the latter; it must not lie
    in the middle third. The latter is the symmetric one, or whichever critical network has less
    if there is rotation: how much non-symmetric ones have depends on the draw. If nothing is
    shared, the answer is no if the critical network would have shown it through as much noise.

    *Symmetric*: `dmd.time_asymmetry` is exactly 0 in symmetric networks. No, if it is above 0.02
    by two standard errors. Yes, if it is below 0.02 and two standard errors leave it below 0.05.
    That does not count if only one component is told from noise, since it takes two to rotate; nor
    if there are fewer than five and the largest has more than 2.5 times the variance of the
    largest in the symmetric simulation: the slowest modes of a non-symmetric network need not
    rotate, and one that does not stands out.

    Examples
    --------
    >>> references = {
    ...     "symmetric": Evidence(30.0, 200, 0.0, 0.001),
    ...     "non-symmetric": Evidence(80.0, 40, 0.4, 0.01),
    ...     "sub-critical": Evidence(2.0, 300, 0.0, 0.001),
    ... }
    >>> judge(Evidence(25.0, 150, 0.003, 0.002), 0.5, references)
    ('yes', 'yes', 'yes')
    """
    sym, _, sub = (references[key] for key in NETWORKS)
    if not (data.n_shared > 0 and data.top > 1.2 * shuffled_top):
        visible = sym.n_shared > 0 and sym.top > 1.2 * shuffled_top
        return "no", "no" if visible else "cannot tell", "cannot tell"
    symmetric = "cannot tell"
    if data.asymmetry - 2 * data.asymmetry_error > _ROTATES:
        symmetric = "no"
    elif _at_rest(data):
        few_but_usual = data.n_shared > 1 and data.top < _MOST_TOP * sym.top
        if data.n_shared >= _MIN_SHARED or few_but_usual:
            symmetric = "yes"
    return "yes", _near(data.top, sub.top, _critical(references, symmetric).top), symmetric


def _critical(references, symmetric):
    """The network close to instability that a recording is compared with."""
    sym, non, _ = (references[key] for key in NETWORKS)
    return min(sym, non, key=lambda found: found.top) if symmetric == "no" else sym


def _at_rest(data):
    """Whether rotation is too little to count."""
    return data.asymmetry < _ROTATES and data.asymmetry + 2 * data.asymmetry_error < _AT_MOST


def _near(top, far, near):
    """Which of two variances is closer, by their ratio."""
    if not 0 < far < near or not top > 0:
        return "cannot tell"
    part = np.log(top / far) / np.log(near / far)
    return "no" if part < 1 / 3 else "yes" if part > 2 / 3 else "cannot tell"


def verdict(report):
    """Say whether activity is shared, near critical, and that of a symmetric network.

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of Finding
        The answers of `judge`, each with its reason.

    Examples
    --------
    >>> import numpy as np
    >>> from critlib.recordings import Recording
    >>> X = np.random.default_rng(0).standard_normal((60, 400))
    >>> [finding.answer for finding in verdict(make_report(Recording(X, dt=0.046)))]
    ['no', 'cannot tell', 'cannot tell']
    """
    data, top_shuffled = report.measures["recording"], report.shuffled[0]
    sym, non, sub = (report.measures[key] for key in NETWORKS)
    references = {key: report.measures[key] for key in NETWORKS}
    shared, near, symmetric = judge(data, top_shuffled, references)
    reasons = [
        f"{data.n_shared} of {len(data.autocorrelations.variances)} components "
        f"{'shares' if data.n_shared == 1 else 'share'} variance at times that were not used to "
        f"find them. The largest has {data.top:.3g}, after shuffling {top_shuffled:.3g}. "
        f"The exponent is {_number(data.fit.exponent, data.error)}, after shuffling "
        f"{_number(report.shuffled_exponent, report.shuffled_error)}."
    ]
    if shared == "no":
        reasons += ["Without shared activity there is nothing to compare."] * 2
        if near == "no":
            reasons[1] = (
                "A symmetric network with largest eigenvalue 0.998 would show through as much "
                f"noise: {_count(sym.n_shared, 'component')}, the largest {sym.top:.3g}."
            )
    else:
        critical = _critical(references, symmetric)
        reasons.append(
            f"The largest component has shared variance {data.top:.3g}; it is {critical.top:.3g} "
            f"in the matched network with largest eigenvalue 0.998, and {sub.top:.3g} with "
            f"0.9. Its typical decay time is {_seconds(data)}; there it is {_seconds(critical)} "
            f"and {_seconds(sub)} (if neurons forget within 20 ms)."
        )
        reason = (
            "Of the lagged covariance of the leading components, "
            f"{_number(data.asymmetry, data.asymmetry_error)} would change sign if time ran "
            f"backwards; {_number(sym.asymmetry, sym.asymmetry_error)} in the matched symmetric "
            f"and {_number(non.asymmetry, non.asymmetry_error)} in the non-symmetric network. "
            f"Eigenvalues turn {_turns(data)} times per tenfold attenuation; there {_turns(sym)} "
            f"and {_turns(non)} (median)."
        )
        if symmetric == "cannot tell" and _at_rest(data):
            reason += (
                f" Only {_count(data.n_shared, 'component')} can be told from noise, and the "
                "slowest few of a non-symmetric network need not rotate."
            )
        elif symmetric == "cannot tell" and np.isfinite(data.asymmetry_error):
            reason += (
                f" Within two standard errors that may be less or more than {_ROTATES:g}, above "
                "which we speak of rotation."
            )
        reasons.append(reason)
    return [
        Finding(question, answer, reason)
        for question, answer, reason in zip(_QUESTIONS, (shared, near, symmetric), reasons)
    ]


def caveats(report):
    """Reasons to distrust the numbers of a report, in words.

    Parameters
    ----------
    report : Report

    Returns
    -------
    list of str
    """
    data, sym = report.measures["recording"], report.measures["symmetric"]
    minutes = report.n_bins * report.dt / 60
    out = []
    if minutes < 15:
        out.append(
            f"{minutes:.0f} minutes are short: exponents from less than 15 minutes have not "
            "settled (see the figure), and slow components are seen only a few times."
        )
    if report.n_neurons < 500:
        out.append(
            f"{report.n_neurons} neurons are few: the fit covers ranks {data.fit.ranks[0]} to "
            f"{data.fit.ranks[1]} only, and small samples of neurons flatten the spectrum."
        )
    if data.fit.ranks[1] > 0.5 * len(data.shared):
        out.append(
            f"The fit ends at rank {data.fit.ranks[1]} of {len(data.shared)}: the last ranks of "
            "any spectrum drop, and so the exponent is higher than more neurons would give. The "
            "simulations share this."
        )
    if report.dt > 0.1:
        out.append(
            f"Bins of {report.dt:g} s are wide: the exponent grows with the width of bins "
            "(chapter 4). Compare with the simulations, which have the same bins, and not with "
            "exponents from other papers."
        )
    if report.dt > 0.3:
        out.append(
            f"The lag of the dynamic mode decomposition is one bin, {report.dt:g} s, instead of "
            "0.23 s: modes that turn within a bin are missed."
        )
    if not report.checkerboard:
        out.append(
            "There are no positions, so halves are random: a signal that leaks between neighbours "
            "counts as shared (chapter 5)."
        )
    if report.n_compared < report.n_neurons:
        out.append(
            f"Everything but the exponent of the whole is measured in {report.n_compared} neurons "
            "chosen at random, as many as the simulations have."
        )
    if data.n_shared < 20:
        out.append(
            f"Only {_count(data.n_shared, 'component')} can be told from noise. An exponent over "
            f"ranks {data.fit.ranks[0]} to {data.fit.ranks[1]} is then mostly one of noise."
        )
    short, full = data.by_duration[-2:]
    if abs(full - short) > 3 * data.error:
        out.append(
            f"The exponent from the first half of the time is {short:.2f}, from all {full:.2f}: it "
            "depends on the duration, or activity changed."
        )
    out.append(
        f"No estimate is unbiased. For the matched symmetric network, ordinary principal "
        f"components give {sym.direct:.2f} and shared variance {sym.fit.exponent:.2f} (without "
        "noise and in a long recording of many neurons it would be about 0.7)."
    )
    out.append(
        "Simulations have white noise as strong as makes neighbouring bins as correlated as in "
        "the recording, one random network each, and time constant 20 ms. Noise of other "
        "kinds, movement, drift and common input are not in them."
    )
    return out


def write_html(report, path):
    """Write a report as one HTML page with its pictures inside.

    Parameters
    ----------
    report : Report
    path : str or os.PathLike
        File to write. It appears only when it is complete.

    Returns
    -------
    pathlib.Path
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(_page(report), encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


# --- measuring -----------------------------------------------------------------------------------


def _measurable(X, dt, halves, rng):
    X = _checks.activity(X, min_times=_MIN_BINS)
    if len(X) < _MIN_NEURONS:
        raise ValueError(f"X has {len(X)} neurons: the report needs at least {_MIN_NEURONS}")
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    rng = _checks.rng_from(rng)
    if halves is None:
        halves = rng.permutation(len(X)) < len(X) // 2
    return X, dt, halves, rng


def _evidence(X, dt, halves, rng):
    """Shared variances, autocorrelations, and the Evidence from them."""
    n_times = X.shape[1]
    shared = shared_variance.svca2(X, halves=halves)
    lag = max(0.23, dt)
    max_lag = max(lag, 2 * dt, min(10.0, n_times * dt / 20))
    found = timescales.pc_autocorrelations(X, dt, max_lag=max_lag, halves=halves, rng=rng)
    n_blocks = 20 if n_times >= 20 * (round(lag / dt) + 1) else 4
    longest = (n_times // n_blocks - 1) * dt
    lags = [times * lag for times in (1, 2, 4, 8) if times * lag <= longest]
    asymmetry, error = dmd.time_asymmetry(
        X, dt, lag=lags, halves=halves, n_blocks=n_blocks, return_error=True, rng=rng
    )
    return (
        shared,
        found,
        Evidence(
            top=float(shared[0]),
            n_shared=timescales.n_trusted(found),
            asymmetry=asymmetry,
            asymmetry_error=error,
        ),
    )


def _fit(variances):
    k = int(np.count_nonzero(variances > 0))
    return spectra.fit_power_law(variances[:k], ranks=spectra.default_ranks(k))


def _part_exponent(X, halves):
    varies = X.max(axis=1) > X.min(axis=1)
    if not varies.all():
        X, halves = X[varies], halves[varies]
    if min(halves.sum(), (~halves).sum(), X.shape[1] - 1) < 22:
        return np.nan
    return _fit(shared_variance.svca2(X, halves=halves)).exponent


def _halves(positions, n, counts, rng):
    """Checkerboard where there are positions and it gives two halves; random halves otherwise."""
    if positions is not None:
        # a spike is seen on neighbouring electrodes: larger patches, as the paper uses for probes
        halves = shared_variance.checkerboard(*positions.T, spacing=40.0 if counts else 25.0)
        smaller = min(halves.sum(), (~halves).sum())
        if smaller >= max(_MIN_NEURONS // 2, 0.4 * n):
            return halves, True
    return rng.permutation(n) < n // 2, False


# --- writing -------------------------------------------------------------------------------------


def _number(value, error=None):
    if not np.isfinite(value):
        return "not measurable"
    if error is None or not error > 0:
        return f"{round(value, 2) + 0:.2f}"  # not -0.00
    digits = int(np.clip(-np.floor(np.log10(error)), 2, 4))  # one that counts, of the error
    return f"{round(value, digits) + 0:.{digits}f} ± {error:.{digits}f}"


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _seconds(measures):
    if np.isnan(measures.timescale):
        return "not measurable"
    longest = measures.autocorrelations.lags[-1]
    return f"{measures.timescale:.2g} s" if np.isfinite(measures.timescale) else f"> {longest:g} s"


def _turns(measures):
    return f"{np.median(measures.rotations):.2f}" if len(measures.rotations) else "(none left)"


def _table(report):
    rows = {
        "Exponent, shared variance (SVCA2)": lambda m: _number(m.fit.exponent, m.error),
        "Exponent, ordinary components": lambda m: _number(m.direct),
        "Largest shared variance": lambda m: f"{m.top:.3g}",
        "Components told from noise": lambda m: str(m.n_shared),
        "Decay time, leading components": _seconds,
        "Correlation at 0.23 s against rank: r": lambda m: _number(m.r),
        "DMD eigenvalues above 0.25": lambda m: str(int((abs(m.eigenvalues) > 0.25).sum())),
        "Rotations per tenfold attenuation, median": _turns,
        "Fraction that changes with the direction of time": lambda m: _number(
            m.asymmetry, m.asymmetry_error
        ),
    }
    heads = "".join(f'<th scope="col">{_NAMES[key]}</th>' for key in report.measures)
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{show(m)}</td>" for m in report.measures.values())
        + "</tr>"
        for name, show in rows.items()
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


_NAMES = {
    "recording": "recording",
    "symmetric": "symmetric, 0.998",
    "non-symmetric": "non-symmetric, 0.998",
    "sub-critical": "symmetric, 0.9",
}


def _look(kind):
    """Colour of a recording or network, as everywhere in the course."""
    if kind == "sub-critical":
        return plots.shade("symmetric", 0.2)
    return plots.COLORS["data" if kind == "recording" else kind]


def _raster_figure(report):
    figure, ax = plt.subplots(figsize=(7, 3))
    plots.raster(report.excerpt, report.dt, ax=ax)
    ax.images[0].set_clim(0, 3)  # white where a neuron is below its mean
    return figure


def _spectrum_figure(report):
    figure, ax = plt.subplots(figsize=(7, 4.2))
    for kind, m in report.measures.items():
        rank = np.arange(1, len(m.shared) + 1)
        label = f"{_NAMES[kind]}: {m.fit.exponent:.2f}"
        ax.loglog(
            rank, m.shared, color=_look(kind), lw=3 if kind == "recording" else 1.8, label=label
        )
    ax.loglog(
        np.arange(1, len(report.shuffled) + 1),
        report.shuffled,
        ":",
        lw=2,
        color=plots.COLORS["data"],
        label=f"recording, shuffled: {report.shuffled_exponent:.2f}",
    )
    fit = report.measures["recording"].fit
    ax.loglog(fit.ranks, fit.predict(fit.ranks), "--", color=plots.COLORS["theory"], lw=1.2)
    low = 0.5 * min(fit.predict(fit.ranks[1]), report.shuffled[0] / 3)
    ax.set(xlabel="rank of component", ylabel="shared variance", ylim=(low, None))
    ax.set_aspect("equal", adjustable="box")
    ax.legend(title="exponent", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _size_figure(report):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), sharey=True)
    for kind, m in report.measures.items():
        look = {"color": _look(kind), "marker": "o", "ms": 4, "label": _NAMES[kind]}
        left.semilogx(report.n_compared * np.array(_FRACTIONS), m.by_neurons, **look)
        right.semilogx(report.n_bins * report.dt / 60 * np.array(_FRACTIONS), m.by_duration, **look)
    for ax, values, name in (
        (left, report.n_compared * np.array(_FRACTIONS), "neurons"),
        (right, report.n_bins * report.dt / 60 * np.array(_FRACTIONS), "duration (min)"),
    ):
        ax.set_xticks(
            values, [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values]
        )
        ax.minorticks_off()
        ax.set_xlabel(name)
    left.set_ylabel("exponent")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
    )
    return figure


def _autocorrelation_figure(report):
    kinds = list(report.measures)
    figure, axes = plt.subplots(1, 4, figsize=(7, 2.6), sharex=True, sharey=True)
    for ax, kind in zip(axes, kinds):
        m = report.measures[kind]
        ranks = [rank for rank in (1, 2, 5, 20, 100) if rank <= max(1, m.n_shared)]
        for i, rank in enumerate(ranks):
            color = plt.matplotlib.cm.viridis(0.85 - 0.85 * i / 5)
            ax.plot(
                m.autocorrelations.lags[1:],
                m.autocorrelations.correlation[rank - 1, 1:],
                color=color,
                lw=1.5,
                label=str(rank),
            )
        ax.axhline(0, color=plots.COLORS["data"], lw=0.6)
        ax.set(xscale="log", ylim=(-0.6, 1.05), xlabel="lag (s)")
        ax.set_title(_NAMES[kind].replace(", ", "\n"), fontsize=9)
    axes[0].set_ylabel("correlation")
    longest = max(axes, key=lambda ax: len(ax.lines))
    figure.legend(
        *longest.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        title="rank of component",
        fontsize=8,
        title_fontsize=8,
    )
    return figure


def _slowness_figure(report):
    figure, ax = plt.subplots(figsize=(7, 3.4))
    lag = max(0.23, report.dt)
    for kind, m in reversed(report.measures.items()):
        later = m.autocorrelations.correlation[: m.n_shared, round(lag / report.dt)]
        rank = np.arange(1, len(later) + 1)
        label = f"{_NAMES[kind]}: r = {_number(m.r)}"
        ax.loglog(rank[later > 0], later[later > 0], ".", ms=4, color=_look(kind), label=label)
    ax.set(xlabel="rank of component", ylabel=f"correlation at {lag:.2g} s", ylim=(0.01, 1.3))
    ax.legend(loc="lower left", fontsize=9)
    return figure


def _eigenvalue_figure(report):
    figure, axes = plt.subplots(1, 4, figsize=(7, 2.3), sharex=True, sharey=True)
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 200))
    for ax, (kind, m) in zip(axes, report.measures.items()):
        ax.plot(circle.real, circle.imag, color=plots.COLORS["theory"], lw=0.6)
        ax.plot(0.25 * circle.real, 0.25 * circle.imag, ":", color=plots.COLORS["theory"], lw=0.8)
        ax.plot(m.eigenvalues.real, m.eigenvalues.imag, ".", ms=3, color=_look(kind))
        ax.set(aspect="equal", xlabel="real part", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        ax.set_title(_NAMES[kind].replace(", ", "\n"), fontsize=9)
    axes[0].set_ylabel("imaginary part")
    return figure


def _rotation_figure(report):
    figure, ax = plt.subplots(figsize=(7, 2.8))
    for kind, m in report.measures.items():
        turns = np.sort(np.minimum(m.rotations, 5))
        if len(turns):
            part = np.arange(1, len(turns) + 1) / len(turns)
            ax.step(
                [0, *turns, 5],
                [0, *part, 1],
                where="post",
                color=_look(kind),
                lw=2,
                label=f"{_NAMES[kind]} ({len(turns)})",
            )
    ax.set(
        xlabel="rotations per tenfold attenuation",
        ylabel="fraction of eigenvalues",
        xlim=(-0.1, 4),
        ylim=(0, 1.03),
    )
    ax.legend(loc="lower right", fontsize=9)
    return figure


# Heading, drawing function, alternative text, and what to look for.
_FIGURES = (
    (
        "Activity",
        _raster_figure,
        "Raster of neurons against time, dark where a neuron is active.",
        "One minute from the middle, neurons sorted by their weight in the first component. Look "
        "for what analysis cannot mend: bands where everything stops, jumps, single rows that "
        "dominate.",
    ),
    (
        "How variance falls with rank",
        _spectrum_figure,
        "Shared variance against rank, both logarithmic, for the recording, its shuffle and three "
        "simulated networks, with the fitted line.",
        "Shared variance of two halves of the neurons (SVCA2), with its fit (dashed). A decade is "
        "as long on both axes, so the exponent is the slope. Where it joins its shuffle (dotted), "
        "this measure alone no longer tells it from chance.",
    ),
    (
        "Would more neurons or more time change it?",
        _size_figure,
        "Exponent against the number of neurons and against duration, for the recording and three "
        "simulated networks.",
        "Exponents from a part of the neurons and from a part of the time. If the last two points "
        "differ, the exponent has not settled. The ranks of the fit shrink with the number of "
        "neurons.",
    ),
    (
        "How long components remember",
        _autocorrelation_figure,
        "Autocorrelation against lag of components 1, 2, 5, 20 and 100, in one panel for the "
        "recording and one for each simulated network.",
        "Correlation of one half of the neurons with the other at a later time, so that noise of "
        "single neurons drops out. Components that cannot be told from noise are not drawn.",
    ),
    (
        "Larger components are slower",
        _slowness_figure,
        "Autocorrelation at 0.23 seconds against rank, both logarithmic, for the recording and "
        "three simulated networks.",
        "In a network with symmetric connectivity, correlation falls with rank in a regular way.",
    ),
    (
        "Does activity rotate?",
        _eigenvalue_figure,
        "Eigenvalues of the dynamic mode decomposition in the complex plane, in one panel for the "
        "recording and one for each simulated network.",
        "Real eigenvalues decay, complex ones turn. Inside the dotted circle (modulus 0.25) they "
        "are too small to tell.",
    ),
    (
        "Rotations",
        _rotation_figure,
        "Cumulative fraction of eigenvalues against rotations per tenfold attenuation.",
        "How often a mode turns while it decays to a tenth, for eigenvalues outside the dotted "
        "circle; their number is in brackets. A curve that rises at once stands for modes that do "
        "not turn.",
    ),
)


def _picture(figure, alt):
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=150)
    width, height = (round(side * 150) for side in figure.get_size_inches())
    plt.close(figure)
    data = base64.b64encode(raw.getvalue()).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{width}" '
        f'height="{height}">'
    )


def _page(report):
    name = html.escape(report.name or "Recording")
    minutes = report.n_bins * report.dt / 60
    left_out = (
        f" {_count(report.n_constant, 'constant neuron')} left out." if report.n_constant else ""
    )
    halves = (
        "two halves that alternate in space like a checkerboard"
        if report.checkerboard
        else "two random halves"
    )
    answers = "".join(
        f"<li><strong>{html.escape(f.question)}</strong> "
        f'<span class="answer">{f.answer.capitalize()}.</span> {html.escape(f.reason)}</li>'
        for f in verdict(report)
    )
    with matplotlib.rc_context():
        plots.use_style()
        figures = "".join(
            f"<section><h2>{heading}</h2><figure>{_picture(draw(report), alt)}"
            f"<figcaption>{text}</figcaption></figure></section>"
            for heading, draw, alt, text in _FIGURES
        )
    doubts = "".join(f"<li>{html.escape(text)}</li>" for text in caveats(report))
    fit = report.whole
    data = report.measures["recording"]
    method = (
        f"Activity of {report.n_neurons} neurons in {report.n_bins} bins of {report.dt:g} s was "
        f"z-scored. The spectrum of shared variance was estimated by SVCA2 with {halves}, and a "
        f"power law was fitted to ranks {fit.ranks[0]} to {fit.ranks[1]} by least squares of "
        f"logarithms with weight 1/rank: exponent {_number(fit.exponent, report.whole_error)} "
        "(standard error by jackknife over eight blocks of time). In the control, "
        f"{report.n_compared} neurons were shifted in time at random: "
        f"{_number(report.shuffled_exponent, report.shuffled_error)} instead of "
        f"{_number(data.fit.exponent, data.error)}. Dynamic mode decomposition: up to 1,000 "
        f"components, lag {max(0.23, report.dt):g} s, ridge {0.1 if report.counts else 0.01:g}. "
        "Fraction of the lagged covariance that changes with the direction of time: up to 20 "
        "shared components, lags of one, two, four and eight times that, as far as blocks of time "
        "allow (standard error by jackknife over these). "
        "Simulations: linear networks with random connectivity and time constant 20 ms, matched "
        "in neurons, bins, duration and noise (Pachitariu et al., Nature 655, 990, 2026; analysed "
        f"with critlib {version('critlib')}, NumPy {np.__version__}, Python "
        f"{platform.python_version()})."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: critlib report</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{name}</h1>
<p>{report.n_neurons:,} neurons, {report.n_bins:,} bins of {report.dt:g} s, {minutes:.1f} minutes.
{"Counts of spikes." if report.counts else "Not counts of spikes."}{left_out}
Median correlation of neighbouring bins {report.snr:.2f}.
Compared through {halves}.</p>
<p class="headline">Exponent {_number(fit.exponent, report.whole_error)}
<span>ranks {fit.ranks[0]} to {fit.ranks[1]}, shared variance; shuffled in time
{_number(report.shuffled_exponent, report.shuffled_error)}. Published: 0.7 to 0.85 in cortex and
brain-wide, 0.4 to 0.5 in hippocampal CA1.</span></p>
<h2>Verdict</h2>
<ol>{answers}</ol>
<h2>Beside simulations of the same size, duration and noise</h2>
{_table(report)}
{figures}
<h2>Before you believe it</h2>
<ul>{doubts}</ul>
<h2>Methods, to adapt</h2>
<p>{html.escape(method)}</p>
</main>
</body>
</html>
"""


_STYLE = """
:root {color-scheme: light dark; --text: #1a1a1a; --back: #fff; --line: #ccc; --soft: #555}
@media (prefers-color-scheme: dark) {
:root {--text: #eee; --back: #16181d; --line: #555; --soft: #bbb}
}
body {font: 17px/1.55 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0}
main {max-width: 46rem; margin: 0 auto; padding: 1rem}
h1 {font-size: 1.8rem; margin: .5rem 0; overflow-wrap: anywhere}
h2 {font-size: 1.25rem; margin: 2rem 0 .5rem}
.headline {font-size: 1.6rem; font-weight: 600; margin: 1rem 0}
.headline span {display: block; font-size: 1rem; font-weight: 400; color: var(--soft)}
.answer {font-weight: 600; text-decoration: underline}
li {margin: .5rem 0}
figure {margin: 0}
img {max-width: 100%; height: auto; background: #fff}
figcaption {color: var(--soft)}
.wide {overflow-x: auto}
table {border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums}
th, td {padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right}
td {white-space: nowrap}
th[scope=row] {text-align: left; font-weight: 400}
@media print {
:root {--text: #000; --back: #fff; --soft: #333}
body {font-size: 11pt}
section, figure, tr, li {break-inside: avoid}
}
""".strip()
