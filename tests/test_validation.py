"""Every public function: bad input is refused in words, good input is left alone, laws hold.

Inputs are drawn by hypothesis, the same ones in every run.
"""

import inspect
import re
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critlib import (
    connectivity,
    dynamics,
    ensembles,
    memory,
    normalization,
    recordings,
    shared_variance,
    spectra,
    timescales,
)
from critlib.dynamics import LinearNetwork

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)

# --- bad values ----------------------------------------------------------------------------------

NOT_NUMBERS = [None, "0.5", b"1", 1 + 2j, [0.5], {}, object(), np.datetime64("2020"), lambda: 1]
not_numbers = st.sampled_from(NOT_NUMBERS)
not_finite = st.sampled_from([np.nan, np.inf, -np.inf, np.float32("nan"), 10**400, -(10**400)])
booleans = st.sampled_from([True, False, np.True_])


def bad_real(low=None, high=None, low_itself=True):
    """What is no real number from `low` to `high`; `low_itself` says whether `low` is allowed."""
    bad = [not_numbers, not_finite, booleans]
    if low is not None:
        bad.append(st.floats(max_value=low, exclude_max=low_itself, allow_infinity=False))
        bad.append(st.integers(max_value=int(low) - 1, min_value=-(10**9)))
    if high is not None:
        bad.append(st.floats(min_value=high, exclude_min=True, allow_infinity=False))
    return st.one_of(bad)


def bad_integer(low, high=None):
    bad = [
        not_numbers,
        booleans,
        st.floats(low, low + 100).filter(lambda x: x != int(x)),
        st.sampled_from([np.nan, np.inf, 2.5, np.float32(3.5)]),
        st.integers(-(10**30), low - 1),
    ]
    if high is not None:
        bad.append(st.integers(high + 1, high + 10**30))
    return st.one_of(bad)


bad_boolean = st.sampled_from([None, 0, 1, "yes", 1.0, [True], np.array([True, False])])
bad_rng = st.one_of(
    st.sampled_from([True, 1.5, "0", [0], np.random.RandomState(0), np.random, object()]),  # noqa: NPY002
    st.integers(-(10**30), -1),
)
bad_option = st.sampled_from([None, 3, "", "Uniform", "normal", ["uniform"], np.array(["a", "b"])])

WRONG_ARRAYS = [
    None, "abc", [["a", "b"], ["c", "d"]], 5.0, {}, object(), [[1.0, 2.0], [3.0]],
    [[1j, 2], [3, 4]], np.zeros((2, 2, 2)),
    [[None, 1], [1, 2]], np.array([["2020"] * 2] * 2, dtype="datetime64"),
]  # fmt: skip


@st.composite
def spoiled(draw, valid):
    """A valid array with one value replaced by NaN or infinity."""
    array = np.array(draw(valid), dtype=draw(st.sampled_from([np.float32, np.float64])))
    where = tuple(draw(st.integers(0, length - 1)) for length in array.shape)
    array[where] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return array


def matrices(min_n=1, max_n=6, dtype=np.float64, square=True, min_columns=None, largest=10):
    n = st.integers(min_n, max_n)
    shape = (
        n.map(lambda n: (n, n))
        if square
        else st.tuples(n, st.integers(min_columns or min_n, max_n + 6))
    )
    width = 8 * np.dtype(dtype).itemsize
    return hnp.arrays(dtype, shape, elements=st.floats(-largest, largest, width=width))


def bad_matrix(square):
    bad = [
        st.sampled_from(WRONG_ARRAYS),
        st.sampled_from([np.zeros((0, 0)), np.zeros(3), [], [1, 2]]),
        spoiled(matrices(square=square, min_columns=2)),
    ]
    if square:
        shapes = st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda s: s[0] != s[1])
        bad.append(shapes.map(np.ones))
        bad.append(st.sampled_from([np.zeros((0, 3)), np.zeros((3, 0))]))
    else:
        bad.append(st.sampled_from([np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((4, 1))]))
    return st.one_of(bad)


bad_vector = st.one_of(
    st.sampled_from([None, "abc", ["a"], 5.0, {}, [], [1j], [[1.0, 2.0]], [[1.0], [1.0, 2.0]]]),
    spoiled(hnp.arrays(float, st.integers(1, 9), elements=st.floats(0, 10))),
)
negative_vector = st.lists(st.floats(0.1, 10), min_size=1, max_size=9).map(lambda v: v + [-v[0]])
bad_numbers = st.sampled_from(
    [None, "abc", ["a"], [1j], {}, [np.nan], [0.1, np.nan], [[1], [1, 2]]]
)
bad_ranks = st.one_of(
    st.sampled_from([None, 11, (11,), (11, 20, 30), "ab", (1.5, 20), (None, 20), (True, 20)]),
    st.tuples(st.integers(-(10**9), 0), st.integers(2, 30)),
    st.tuples(st.integers(1, 30), st.integers(31, 10**9)),
    st.integers(1, 30).flatmap(lambda i: st.tuples(st.just(i), st.integers(1, i))),
)


@st.composite
def bad_law_values(draw):
    """Thirty variances, one of them not positive within the ranks (3, 20)."""
    variances = np.arange(1, 31.0) ** -0.7
    variances[draw(st.integers(2, 19))] = draw(st.sampled_from([0.0, -1.0]))
    return variances


@st.composite
def constant_rows(draw):
    X = draw(matrices(min_n=2, square=False, min_columns=2))
    X[draw(st.integers(0, len(X) - 1))] = draw(st.sampled_from([0.0, 0.1, -3.0, 1e9]))
    return X


@st.composite
def unstable(draw):
    A = draw(matrices())
    return A + (1.0 + abs(A).sum()) * np.eye(len(A))  # Gershgorin: all real parts are above 1


@st.composite
def nothing_on_the_right(draw):
    A = draw(matrices())
    return A - (0.5 + abs(A).sum()) * np.eye(len(A))


bad_function = st.sampled_from([3, "relu", [abs], True])
bad_result = st.sampled_from([lambda x: x[:1], lambda x: 0.0, lambda x: x.T, lambda x: "a"])
bad_halves = st.sampled_from(
    [np.ones(3), np.ones(2, bool), np.ones(3, bool), np.ones(50, bool), np.zeros(50, bool),
     [1, 0, 1], "abc", [True, None, False], [[True, False]], 0.5, [np.nan, 1, 0], {}, []]
)  # fmt: skip
bad_found = st.sampled_from([None, "abc", 5.0, np.ones(3), {}, []])
bad_level = st.one_of(
    bad_option.filter(lambda level: level != 3 if isinstance(level, int) else True),
    bad_real(0, low_itself=False),
)
bad_path = st.sampled_from([None, 5, 1.5, [], ["a.npz"], {}, True])
sparse = matrices().map(scipy.sparse.csr_array)
bad_sparse = st.sampled_from(
    [np.ones((2, 3)), np.zeros((0, 0)), np.zeros((0, 3)), [[np.nan, 1], [1, 1]], [[1j, 1], [1, 1]]]
).map(scipy.sparse.csr_array)

bad_dtype = st.sampled_from(["int64", "float16", "abc", int, bool, complex, 5, [], {"a": 1}])
bad_probability = st.one_of(bad_real(0, 1, low_itself=False), st.sampled_from([0, 1, 1.0]))
bad_probability_or_0 = st.one_of(bad_real(0, 1), st.sampled_from([1, 1.0]))
bad_torus = bad_real(0, low_itself=False).filter(lambda size: size is not None)
bad_positions = st.sampled_from(
    ["abc", np.zeros(3), np.zeros((2, 2)), np.zeros((4, 2)), np.full((3, 2), np.nan), {}, 5.0,
     [["a", "b"]] * 3, [[0.0], [1.0, 2.0], [3.0]], np.zeros((3, 0)), np.ones((3, 2)) * 1j]
)  # fmt: skip

# --- every public function -----------------------------------------------------------------------

A2 = np.array([[0.0, 0.5], [0.2, 0.1]])
X3 = np.random.default_rng(0).standard_normal((3, 8))
P3 = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 900.0]])
R3 = np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]])
X50 = np.random.default_rng(1).standard_normal((50, 60))
NETWORK = LinearNetwork(A2)
FOUND = timescales.pc_autocorrelations(X50, 0.1, max_lag=0.5, rng=0)
LAW = np.arange(1, 31.0) ** -0.7


class Case(NamedTuple):
    """A public function, a call of it that works, and ways to spoil each argument."""

    function: object
    valid: dict
    bad: dict


def positional(function):
    """The function, with all of its arguments given by name."""
    names = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind < p.KEYWORD_ONLY
    ]

    def call(**arguments):
        first = [arguments.pop(name) for name in names if name in arguments]
        return function(*first, **arguments)

    return call


duration, dt = bad_real(0, low_itself=False), bad_real(0, low_itself=False)
CASES = {
    "random_connectivity": Case(
        ensembles.random_connectivity,
        {"n": 5, "symmetry": 0.5, "distribution": "uniform", "rng": 0},
        {"n": bad_integer(2), "symmetry": bad_real(-1, 1), "distribution": bad_option,
         "rng": bad_rng},
    ),
    "goe_top_eigenvalues": Case(
        ensembles.goe_top_eigenvalues,
        {"n": 20, "k": 3, "rng": 0},
        {"n": bad_integer(2, 10**11), "k": bad_integer(1, 20), "rng": bad_rng},
    ),
    "semicircle_pdf": Case(ensembles.semicircle_pdf, {"x": [0.5]}, {"x": bad_numbers}),
    "semicircle_quantile": Case(
        ensembles.semicircle_quantile,
        {"q": [0.5]},
        {"q": st.one_of(bad_numbers, st.lists(st.floats(1.001, 9), min_size=1),
                        st.floats(-9, -0.001))},
    ),
    "ellipse_boundary": Case(
        ensembles.ellipse_boundary,
        {"symmetry": 0.5, "n_points": 10},
        {"symmetry": bad_real(-1, 1), "n_points": bad_integer(4)},
    ),
    "spectral_abscissa": Case(
        normalization.spectral_abscissa,
        {"A": A2},
        {"A": st.one_of(bad_matrix(square=True), bad_sparse)},
    ),
    "critically_normalize": Case(
        normalization.critically_normalize,
        {"A": A2, "target": 0.9},
        {"A": st.one_of(bad_matrix(square=True), bad_sparse, nothing_on_the_right()),
         "target": bad_real(0, low_itself=False)},
    ),
    "LinearNetwork": Case(
        LinearNetwork,
        {"A": A2, "tau": 0.02},
        {"A": st.one_of(bad_matrix(square=True), unstable(), sparse),
         "tau": bad_real(0, low_itself=False)},
    ),
    "propagator": Case(NETWORK.propagator, {"lag": 0.1}, {"lag": bad_real(0)}),
    "autocovariance": Case(NETWORK.autocovariance, {"lag": 0.1}, {"lag": bad_real()}),
    "simulate": Case(
        NETWORK.simulate,
        {"duration": 1.0, "dt": 0.1, "n_trials": 1, "average": True, "rng": 0},
        {"duration": st.one_of(duration, st.floats(1e-9, 0.04), st.floats(1e15, 1e300)), "dt": dt,
         "n_trials": bad_integer(1), "average": bad_boolean, "rng": bad_rng},
    ),
    "simulate_euler": Case(
        dynamics.simulate_euler,
        {"A": A2, "duration": 0.04, "dt": 0.004, "tau": 0.02, "step": 0.002, "burn_in": 0.0,
         "nonlinearity": None, "n_trials": 1, "average": True, "rng": 0},
        {"A": st.one_of(bad_matrix(square=True), sparse),
         "duration": st.one_of(duration, st.floats(1e-9, 0.0019), st.floats(1e15, 1e300)),
         "dt": st.one_of(dt, st.floats(1e-9, 0.0009), st.just(0.005)),
         "tau": bad_real(0, low_itself=False),
         "step": st.one_of(bad_real(0, 0.02, low_itself=False), st.just(0.0015)),
         "burn_in": bad_real(0), "nonlinearity": st.one_of(bad_function, bad_result),
         "n_trials": bad_integer(1), "average": bad_boolean, "rng": bad_rng},
    ),
    "covariance_spectrum": Case(
        spectra.covariance_spectrum,
        {"X": X3, "zscore": True},
        {"X": st.one_of(bad_matrix(square=False), constant_rows()), "zscore": bad_boolean},
    ),
    "fit_power_law": Case(
        spectra.fit_power_law,
        {"variances": LAW, "ranks": (3, 20)},
        {"variances": st.one_of(bad_vector, bad_law_values()), "ranks": bad_ranks},
    ),
    "predict": Case(
        spectra.PowerLaw(1.0, 2.0, (1, 9)).predict,
        {"ranks": [1, 2]},
        {"ranks": st.one_of(bad_numbers, st.lists(st.floats(-9, 0), min_size=1))},
    ),
    "default_ranks": Case(spectra.default_ranks, {"k": 30}, {"k": bad_integer(22)}),
    "participation_ratio": Case(
        spectra.participation_ratio,
        {"variances": [2.0, 1.0]},
        {"variances": st.one_of(bad_vector, negative_vector, st.just([0.0, 0.0]))},
    ),
    "n_dimensions": Case(
        spectra.n_dimensions,
        {"variances": [2.0, 1.0], "fraction": 0.5},
        {"variances": st.one_of(bad_vector, negative_vector, st.just([0.0, 0.0])),
         "fraction": bad_real(0, 1, low_itself=False)},
    ),
    "shuffle_in_time": Case(
        spectra.shuffle_in_time,
        {"X": X3, "n_rounds": 3, "rng": 0},
        {"X": bad_matrix(square=False), "n_rounds": bad_integer(0), "rng": bad_rng},
    ),
    "bin_in_time": Case(
        spectra.bin_in_time,
        {"X": X3, "factor": 2},
        # a single time point is enough here
        {"X": bad_matrix(square=False).filter(lambda X: np.shape(X) != (4, 1)
                                              if isinstance(X, np.ndarray) else True),
         "factor": bad_integer(1, 8)},
    ),
    "Recording": Case(
        recordings.Recording,
        {"activity": X3, "dt": 0.1, "positions": np.zeros((3, 2))},
        {"activity": bad_matrix(square=False).filter(lambda X: np.shape(X) != (4, 1)
                                                     if isinstance(X, np.ndarray) else True),
         "dt": dt,
         "positions": st.sampled_from([np.zeros((2, 2)), np.zeros((3, 3)), np.zeros(3), "abc",
                                       np.full((3, 2), np.nan), [["a", "b"]] * 3])},
    ),
    "load_recording": Case(
        recordings.load_recording,
        # a file is put here by the test
        {"path": None, "dt": 0.1, "min_snr": 0.3, "um_per_pixel": 2.0, "series": "units"},
        {"path": bad_path, "dt": dt.filter(lambda dt: dt is not None), "min_snr": bad_real(),
         "um_per_pixel": bad_real(0, low_itself=False).filter(lambda um: um is not None),
         "series": st.sampled_from([3, 1.5, b"units", ["units"], {}, True])},
    ),
    "pc_autocorrelations": Case(
        timescales.pc_autocorrelations,
        {"X": X3, "dt": 0.1, "max_lag": 0.1, "halves": None, "smooth": 0.2, "n_components": 1,
         "n_blocks": 2, "rng": 0},
        {"X": st.one_of(bad_matrix(square=False), constant_rows(), st.just(X3[:, :3])),
         "dt": dt, "max_lag": st.one_of(duration, st.floats(0.36, 1e308), st.floats(1e-9, 0.049)),
         "halves": st.sampled_from([np.array([True, False]), np.array([1, 0, 1]), "abc",
                                    [True, None, False]]),
         "smooth": st.one_of(bad_real(0), st.floats(0.9, 1e308)),
         "n_components": bad_integer(1, 1).filter(lambda k: k is not None),
         "n_blocks": bad_integer(2, 4).filter(lambda k: k is not None), "rng": bad_rng},
    ),
    "noise_floor": Case(
        timescales.noise_floor, {"found": FOUND}, {"found": bad_found}
    ),
    "n_trusted": Case(
        timescales.n_trusted,
        {"found": FOUND, "floors": 4.0},
        {"found": bad_found, "floors": bad_real(0, low_itself=False)},
    ),
    "decay_time": Case(
        timescales.decay_time,
        {"lags": [0.0, 0.1, 0.2], "correlation": [1.0, 0.5, 0.1]},
        {"lags": st.one_of(bad_vector, st.sampled_from([[0.0, 0.2, 0.1], [0.0, 0.0, 0.1],
                                                        [0.0, 0.1]])),
         "correlation": st.sampled_from([None, "abc", ["a"] * 3, [1j, 1, 1], {}, 5.0, [],
                                         [1.0, 0.5], np.ones((2, 2)), np.ones((3, 2)),
                                         np.ones((1, 1, 3)), [[1.0], [1.0, 2.0]]])},
    ),
    "svca2": Case(
        shared_variance.svca2,
        {"X": X3, "halves": None, "lag": 0, "n_components": 1, "rng": 0},
        {"X": st.one_of(bad_matrix(square=False), constant_rows(), st.just(X3[:1])),
         "halves": bad_halves, "lag": bad_integer(0, 6),
         "n_components": bad_integer(1, 1).filter(lambda k: k is not None), "rng": bad_rng},
    ),
    "svca": Case(
        shared_variance.svca,
        {"X": X3, "halves": None, "n_blocks": 2, "n_components": 1, "rng": 0},
        {"X": st.one_of(bad_matrix(square=False), constant_rows(), st.just(X3[:1])),
         "halves": bad_halves, "n_blocks": bad_integer(2, 4),
         "n_components": bad_integer(1, 1).filter(lambda k: k is not None), "rng": bad_rng},
    ),
    "exponent_error": Case(
        shared_variance.exponent_error,
        {"X": X50, "halves": None, "ranks": (3, 20), "n_blocks": 4, "rng": 0},
        {"X": bad_matrix(square=False), "halves": bad_halves,
         "ranks": bad_ranks.filter(lambda ranks: ranks is not None),
         "n_blocks": bad_integer(2, 30), "rng": bad_rng},
    ),
    "checkerboard": Case(
        shared_variance.checkerboard,
        {"x": [0.0, 30.0], "y": [0.0, 0.0], "spacing": 25.0},
        {"x": st.one_of(bad_vector, st.just([1.0])), "y": st.one_of(bad_vector, st.just([1.0])),
         "spacing": bad_real(0, low_itself=False)},
    ),
    "spike_noise": Case(
        shared_variance.spike_noise,
        {"X": X3, "level": "low", "rng": 0},
        {"X": bad_matrix(square=False), "level": bad_level, "rng": bad_rng},
    ),
    "two_photon_noise": Case(
        shared_variance.two_photon_noise,
        {"X": X3, "dt": 0.1, "level": "low", "rng": 0},
        {"X": bad_matrix(square=False), "dt": dt, "level": bad_level, "rng": bad_rng},
    ),
    "deconvolve": Case(
        shared_variance.deconvolve,
        {"F": X3, "dt": 0.1, "decay": 0.25},
        {"F": bad_matrix(square=False), "dt": dt, "decay": bad_real(0, low_itself=False)},
    ),
    "snr": Case(shared_variance.snr, {"X": X3}, {"X": bad_matrix(square=False)}),
    "SymmetricModes": Case(
        memory.SymmetricModes,
        {"eigenvalues": [0.5, -1.0], "tau": 0.02},
        {"eigenvalues": st.one_of(bad_vector, st.sampled_from([[1.0], [0.5, 1.5]])),
         "tau": bad_real(0, low_itself=False)},
    ),
    "EchoStateNetwork": Case(
        memory.EchoStateNetwork,
        {"A": A2, "tau": 0.02, "gain": 1.4},
        {"A": st.one_of(bad_matrix(square=True), sparse), "tau": bad_real(0.002),
         "gain": bad_real(0)},
    ),
    "readout_accuracy": Case(
        memory.readout_accuracy,
        {"network": NETWORK, "delay": 0.12, "task": "zero_shot", "inputs": "eigenvectors",
         "time_independent": True, "n_features": 2, "n_trials": 4, "amplitude": 2.5,
         "noise": 1.0, "penalty": 10.0, "standardize": True, "nearest": "cosine", "rng": 0},
        {"network": st.sampled_from([None, 3, "abc", A2.tolist(), LinearNetwork, {}]),
         "delay": st.one_of(bad_real(0.12, 100).filter(lambda t: not isinstance(t, list)),
                            bad_vector.filter(lambda t: not isinstance(t, float)),
                            st.sampled_from([[0.11], [0.2, 100.5]])),
         "task": bad_option, "inputs": bad_option, "time_independent": bad_boolean,
         "n_features": bad_integer(1, 2), "n_trials": bad_integer(2),
         "amplitude": bad_real(0), "noise": bad_real(0, low_itself=False),
         "penalty": bad_real(0, low_itself=False), "standardize": bad_boolean,
         "nearest": bad_option, "rng": bad_rng},
    ),
    "alternating_blocks": Case(
        shared_variance.alternating_blocks,
        {"n_times": 8, "n_blocks": 2},
        {"n_times": bad_integer(2), "n_blocks": bad_integer(2, 8)},
    ),
    "sparse": Case(
        connectivity.sparse,
        {"n": 5, "p": 0.5, "dtype": "float32", "rng": 0},
        {"n": bad_integer(2), "p": bad_probability, "dtype": bad_dtype, "rng": bad_rng},
    ),
    "clustered": Case(
        connectivity.clustered,
        {"n": 5, "cluster_size": 2, "p_local": 0.5, "p_global": 0.1, "dtype": float, "rng": 0},
        {"n": bad_integer(2), "cluster_size": bad_integer(1, 5), "p_local": bad_probability,
         "p_global": bad_probability_or_0, "dtype": bad_dtype, "rng": bad_rng},
    ),
    "spatial": Case(
        connectivity.spatial,
        {"n": 5, "length": 100.0, "size": 500, "p_local": 0.5, "p_global": 0, "dtype": "float64",
         "rng": 0},
        {"n": bad_integer(2), "length": bad_real(0, low_itself=False),
         "size": bad_real(0, low_itself=False), "p_local": bad_probability,
         "p_global": bad_probability_or_0, "dtype": bad_dtype, "rng": bad_rng},
    ),
    "cell_types": Case(
        connectivity.cell_types,
        {"n": 5, "p": 0.5, "fraction_excitatory": 0.8, "rng": 0},
        {"n": bad_integer(3), "p": bad_probability, "fraction_excitatory": bad_probability,
         "rng": bad_rng},
    ),
    "low_rank": Case(
        connectivity.low_rank,
        {"A": A2, "strengths": [1.0, -2.0], "rng": 0},
        {"A": st.one_of(bad_matrix(square=True), sparse),
         "strengths": st.one_of(bad_vector.filter(lambda v: not isinstance(v, float)),
                                st.just([1, 2, 3])),
         "rng": bad_rng},
    ),
    "strong_pairs": Case(
        connectivity.strong_pairs,
        {"correlation": R3, "fraction": 0.5, "positions": P3, "min_distance": 20.0,
         "size": 8000.0},
        {"correlation": st.one_of(bad_matrix(square=True), sparse, st.just([[1.0]])),
         "fraction": bad_real(0, 1, low_itself=False), "positions": bad_positions,
         "min_distance": st.one_of(bad_real(0), st.floats(901, 1e9)), "size": bad_torus},
    ),
    "mean_by_distance": Case(
        connectivity.mean_by_distance,
        {"pairs": R3, "positions": P3, "width": 100.0, "n_bins": 5, "min_distance": 20.0,
         "size": None},
        {"pairs": st.one_of(bad_matrix(square=True), sparse, st.just([[1.0]])),
         "positions": bad_positions, "width": bad_real(0, low_itself=False),
         "n_bins": bad_integer(5), "min_distance": bad_real(0), "size": bad_torus},
    ),
    "strong_pair_odds": Case(
        connectivity.strong_pair_odds,
        {"strong": R3 > 0.25, "positions": P3, "width": 100.0, "n_bins": 5, "min_distance": 20.0,
         "size": 8000.0},
        {"strong": st.one_of(bad_matrix(square=True), sparse, st.just([[True]]), st.just(R3),
                             st.just(R3 > 2), st.just(R3 > 0)),
         "positions": bad_positions, "width": bad_real(0, low_itself=False),
         "n_bins": bad_integer(5), "min_distance": bad_real(0), "size": bad_torus},
    ),
    "mode_spread": Case(
        connectivity.mode_spread,
        {"vectors": R3, "positions": P3, "length": 250.0, "size": 8000.0},
        {"vectors": st.one_of(bad_vector.filter(lambda v: v is None or repr(v) != "[[1.0, 2.0]]"),
                              spoiled(matrices(3, 3)), st.just(np.zeros((3, 2)))),
         "positions": bad_positions, "length": bad_real(0, low_itself=False),
         "size": bad_torus},
    ),
}  # fmt: skip

ARGUMENTS = [(name, argument) for name, case in CASES.items() for argument in case.bad]


@pytest.fixture(scope="module")
def valid_arguments(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "a.npz"
    np.savez(path, spks=X3)
    return {
        name: case.valid | ({"path": path} if name == "load_recording" else {})
        for name, case in CASES.items()
    }


def test_every_public_function_is_here():
    public = {
        name
        for module in (
            ensembles,
            normalization,
            dynamics,
            spectra,
            recordings,
            timescales,
            shared_variance,
            connectivity,
            memory,
        )
        for name, thing in vars(module).items()
        if inspect.isroutine(thing) or inspect.isclass(thing)
        if thing.__module__ == module.__name__ and not name.startswith("_")
    }
    # PowerLaw is a result, its method is here; fetch, which asks a server, is in test_fetch.py
    results = {"PowerLaw", "PCAutocorrelations", "TwoPhoton", "Connectivity", "ByDistance"}
    assert public - results - {"fetch"} <= set(CASES)
    methods = {name for name, _ in inspect.getmembers(LinearNetwork, inspect.isfunction)}
    without_arguments = {"covariance", "covariance_eigenvalues"}
    assert {m for m in methods if not m.startswith("_")} - without_arguments <= set(CASES)
    for name, case in CASES.items():
        parameters = set(inspect.signature(case.function).parameters)
        assert parameters - {"name"} == set(case.valid) == set(case.bad), name


@pytest.mark.parametrize("name", CASES)
def test_the_valid_call_works(name, valid_arguments):
    positional(CASES[name].function)(**valid_arguments[name])


def describes(message, value):
    """Whether a message says what was given: the value itself, or its shape, type or content."""
    words = [repr(value), str(value)]
    try:
        words += [f"{float(value):g}", f"{float(value)}"]
    except (TypeError, ValueError, OverflowError):
        pass  # not a number, or one that has to be spelled out
    if isinstance(value, (tuple, list, str)):
        words += [str(part) for part in value if not isinstance(part, (list, str))]
        words += [repr(part) for part in value] + [f"{p:g}" for p in value if type(p) is float]
    said = any(word and word in message for word in words)
    # arrays are described by what is wrong with them
    about = r"shape|dtype|dimension|empty|\d+ NaN|holds|lengths|sparse|constant|largest real"
    return said or re.search(about, message)


REMEDY = re.compile(
    r"\b(must|pass|make|choose|use|remove|replace|convert|scales?|divide|lie in|count from|"
    r"cannot be|there is nothing|end ranks|are needed)\b"
)


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_bad_input_is_refused_in_words(name, argument, valid_arguments):
    case = CASES[name]

    @PROPERTY
    @given(value=case.bad[argument])
    def refused(value):
        arguments = valid_arguments[name] | {argument: value}
        with pytest.raises((ValueError, TypeError)) as caught:
            positional(case.function)(**arguments)
        message = str(caught.value)
        # dt and duration, step and dt bound each other: the message may begin with either
        assert re.search(rf"(?<![\w.]){argument}\b", message), message
        assert describes(message, value), message
        assert REMEDY.search(message), message
        assert "\n" not in message

    refused()


# --- inputs are never changed, and their layout does not matter ----------------------------------


def copies(value):
    """The same numbers in other containers and memory layouts."""
    array = np.asarray(value)
    padded = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    padded[..., ::2] = array
    return [np.asfortranarray(array), padded[..., ::2], array.tolist(), array[::-1].copy()[::-1]]


ARRAY_CALLS = {
    "semicircle_pdf": (ensembles.semicircle_pdf, "numbers"),
    "semicircle_quantile": (ensembles.semicircle_quantile, "numbers"),
    "spectral_abscissa": (normalization.spectral_abscissa, "matrix"),
    "critically_normalize": (
        lambda A: normalization.critically_normalize(A + 100 * np.eye(len(A))), "matrix",
    ),
    "critically_normalize itself": (normalization.critically_normalize, "positive"),
    "LinearNetwork.covariance": (lambda A: LinearNetwork(A).covariance(), "stable"),
    "LinearNetwork.simulate": (
        lambda A: LinearNetwork(A).simulate(0.1, 0.02, n_trials=2, rng=0), "stable",
    ),
    "LinearNetwork.autocovariance": (lambda A: LinearNetwork(A).autocovariance(0.05), "stable"),
    "simulate_euler": (
        lambda A: dynamics.simulate_euler(A, 0.1, 0.02, burn_in=0.01, rng=0), "gentle",
    ),
    "covariance_spectrum": (spectra.covariance_spectrum, "activity"),
    "covariance_spectrum, not z-scored": (
        lambda X: spectra.covariance_spectrum(X, zscore=False), "activity",
    ),
    "fit_power_law": (
        lambda v: spectra.fit_power_law(v, ranks=(1, 5)).exponent, "variances",
    ),
    "participation_ratio": (spectra.participation_ratio, "variances"),
    "n_dimensions": (spectra.n_dimensions, "variances"),
    "shuffle_in_time": (lambda X: spectra.shuffle_in_time(X, rng=0), "activity"),
    "shuffle_in_time, no rounds": (
        lambda X: spectra.shuffle_in_time(X, n_rounds=0), "activity",
    ),
    "bin_in_time": (lambda X: spectra.bin_in_time(X, 1), "activity"),
    "Recording": (lambda X: recordings.Recording(X, 0.1).activity.copy(), "activity"),
    "pc_autocorrelations": (
        lambda X: timescales.pc_autocorrelations(X, 0.1, max_lag=0.1, rng=0).variances, "longer",
    ),
    "pc_autocorrelations, smoothed": (
        lambda X: timescales.pc_autocorrelations(
            X, 0.1, max_lag=0.1, smooth=0.1, n_components=1, rng=0
        ).variances, "longer",
    ),
    "decay_time": (
        lambda c: timescales.decay_time(np.arange(len(c)) * 0.1, c), "variances",
    ),
    "svca2": (lambda X: shared_variance.svca2(X, rng=0), "longer"),
    "svca2, lagged": (lambda X: shared_variance.svca2(X, lag=2, rng=0), "longer"),
    "svca": (lambda X: shared_variance.svca(X, n_blocks=2, rng=0), "longer"),
    "checkerboard": (lambda x: shared_variance.checkerboard(x, x), "variances"),
    "spike_noise": (lambda X: shared_variance.spike_noise(X, rng=0), "activity"),
    "two_photon_noise": (
        lambda X: shared_variance.two_photon_noise(X, 0.1, rng=0).activity, "longer",
    ),
    "deconvolve": (lambda X: shared_variance.deconvolve(X, 0.1), "activity"),
    "snr": (shared_variance.snr, "longer"),
    "low_rank": (lambda A: connectivity.low_rank(A, 1.0, rng=0), "matrix"),
    "strong_pairs": (lambda A: connectivity.strong_pairs(A, fraction=1.0), "large"),
    "strong_pairs, far": (
        lambda x: connectivity.strong_pairs(
            np.eye(len(x)), positions=x, fraction=1.0, min_distance=0
        ), "activity of two",
    ),
    "mean_by_distance": (
        lambda A: np.nan_to_num(
            connectivity.mean_by_distance(A, A, width=2000.0, min_distance=0).values
        ), "large",
    ),
    "strong_pair_odds": (
        lambda x: np.nan_to_num(connectivity.strong_pair_odds(
            np.tri(len(x), dtype=bool), x, min_distance=0
        ).values, posinf=-1.0), "activity of two",
    ),
    "mode_spread": (
        lambda x: connectivity.mode_spread(np.eye(len(x)), x), "activity of two",
    ),
    "mode_spread, modes": (
        lambda X: connectivity.mode_spread(X, np.arange(len(X))[:, None]), "longer",
    ),
    "SymmetricModes": (lambda v: memory.SymmetricModes(v).eigenvalues, "negative"),
    "readout_accuracy": (
        lambda A: memory.readout_accuracy(
            LinearNetwork(A), delay=0.1, n_features=2, n_trials=3, rng=0
        ), "stable",
    ),
}  # fmt: skip


def stabilise(A):
    return (A - abs(A).sum(axis=1).max() * np.eye(len(A))).astype(A.dtype)


float_types = st.sampled_from([np.float32, np.float64])
KINDS = {
    "numbers": hnp.arrays(float, st.integers(1, 9), elements=st.floats(0, 1)),
    "matrix": float_types.flatmap(lambda dtype: matrices(dtype=dtype)),
    "large": float_types.flatmap(lambda dtype: matrices(min_n=2, dtype=dtype)),
    "activity of two": st.integers(0, 10**6).flatmap(
        lambda seed: st.tuples(st.integers(2, 6), st.integers(1, 3), float_types).map(
            lambda t: np.random.default_rng(seed).standard_normal(t[:2]).astype(t[2])
        )
    ),
    "positive": matrices().map(lambda A: A + (1 + abs(A).sum()) * np.eye(len(A))),
    "stable": float_types.flatmap(lambda dtype: matrices(dtype=dtype).map(stabilise)),
    # strong inhibition is stable too, but not in Euler steps of a tenth of tau
    "gentle": float_types.flatmap(
        lambda dtype: (
            matrices(dtype=dtype)
            .map(lambda A: A / dtype(max(1, np.abs(A).sum(axis=1).max())))
            .map(stabilise)
        )
    ),
    "variances": hnp.arrays(float, st.integers(5, 20), elements=st.floats(0.01, 100)),
    "negative": hnp.arrays(float, st.integers(1, 20), elements=st.floats(-100, 0.99)),
    "longer": st.integers(0, 10**6).flatmap(
        lambda seed: st.tuples(st.integers(2, 6), st.integers(8, 20), float_types).map(
            lambda t: np.random.default_rng(seed).standard_normal(t[:2]).astype(t[2])
        )
    ),
    "activity": st.integers(0, 10**6).flatmap(
        lambda seed: st.tuples(st.integers(1, 6), st.integers(2, 20), float_types).map(
            lambda t: np.random.default_rng(seed).standard_normal(t[:2]).astype(t[2])
        )
    ),
}


@pytest.mark.parametrize("name", ARRAY_CALLS)
def test_inputs_are_never_changed(name):
    call, kind = ARRAY_CALLS[name]

    @PROPERTY
    @given(array=KINDS[kind])
    def unchanged(array):
        before = array.copy()
        array.flags.writeable = False  # writing to it would raise
        result = call(array)
        assert np.array_equal(array, before) and array.dtype == before.dtype
        if isinstance(result, np.ndarray):
            assert not np.shares_memory(result, array)
            if result.ndim:
                result[...] = 0  # the result belongs to the caller
            assert np.array_equal(array, before)
        # where the numbers lie in memory makes no difference beyond rounding
        if array.dtype == np.float64:
            expected = np.asarray(call(before))
            for same in copies(before):
                if isinstance(same, list) and name == "critically_normalize":
                    continue  # its addition above is numpy's
                atol = 1e-9 * (np.abs(expected).max() if expected.size else 0)
                np.testing.assert_allclose(np.asarray(call(same)), expected, rtol=1e-9, atol=atol)

    unchanged()


def known(A):
    """How well an eigenvalue can be known: of a defective matrix to eps^(1/n) only."""
    return {"rel": 1e-9, "abs": 10 * (1e-15) ** (1 / len(A)) * (abs(A).max() + 1)}


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.coo_matrix])
def test_sparse_inputs_are_never_changed(layout):
    @PROPERTY
    @given(A=KINDS["positive"])
    def unchanged(A):
        S = layout(A)
        data = S.data.copy()
        value = normalization.spectral_abscissa(S)
        assert value == pytest.approx(normalization.spectral_abscissa(A), **known(A))
        B = normalization.critically_normalize(S)
        np.testing.assert_allclose(B.toarray(), A * 0.998 / value, rtol=1e-9)
        np.testing.assert_array_equal(S.data, data)
        np.testing.assert_array_equal(S.toarray(), A)

    unchanged()


# --- laws ----------------------------------------------------------------------------------------


@PROPERTY
@given(
    n=st.integers(2, 12), symmetry=st.floats(-1, 1), seed=st.integers(0, 2**63),
    distribution=st.sampled_from(["uniform", "gaussian", "binary", "truncated_gaussian",
                                  "exponential", "lognormal"]),
)  # fmt: skip
def test_connectivity(n, symmetry, seed, distribution):
    A = ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=seed)
    assert A.shape == (n, n) and np.isfinite(A).all() and not np.diag(A).any()
    again = ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=seed)
    np.testing.assert_array_equal(A, again)


@PROPERTY
@given(n=st.integers(2, 400), data=st.data(), seed=st.integers(0, 2**63))
def test_top_eigenvalues(n, data, seed):
    k = data.draw(st.integers(1, n))
    top = ensembles.goe_top_eigenvalues(n, k, rng=seed)
    assert top.shape == (k,) and np.isfinite(top).all() and np.all(np.diff(top) <= 0)
    np.testing.assert_array_equal(top, ensembles.goe_top_eigenvalues(n, k, rng=seed))


@PROPERTY
@given(q=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_quantile_is_monotone_and_odd(q):
    x = ensembles.semicircle_quantile(sorted(q))
    assert np.all(np.diff(x) >= 0) and np.all(np.abs(x) <= 1)
    opposite = ensembles.semicircle_quantile(1 - np.array(sorted(q)))
    np.testing.assert_allclose(x, -opposite, atol=1e-9)


@PROPERTY
@given(x=hnp.arrays(float, st.integers(0, 9), elements=st.floats(allow_nan=False)))
def test_density_is_even_and_bounded(x):
    p = ensembles.semicircle_pdf(x)
    np.testing.assert_array_equal(p, ensembles.semicircle_pdf(-x))
    assert np.all((p >= 0) & (p <= 2 / np.pi)) and not p[np.abs(x) >= 1].any()


@PROPERTY
@given(A=matrices(), shift=st.floats(-20, 20), factor=st.floats(0.1, 10), seed=st.integers(0, 99))
def test_abscissa(A, shift, factor, seed):
    close = known(A)
    value = normalization.spectral_abscissa(A)
    assert value == pytest.approx(np.linalg.eigvals(A).real.max(), **close)
    order = np.random.default_rng(seed).permutation(len(A))
    assert normalization.spectral_abscissa(A[np.ix_(order, order)]) == pytest.approx(value, **close)
    assert normalization.spectral_abscissa(A.T) == pytest.approx(value, **close)
    assert normalization.spectral_abscissa(factor * A) == pytest.approx(factor * value, **close)
    shifted = normalization.spectral_abscissa(A + shift * np.eye(len(A)))
    assert shifted == pytest.approx(value + shift, **close)


@PROPERTY
@given(A=KINDS["positive"], target=st.floats(1e-6, 1e6))
def test_normalizing_twice_is_normalizing_once(A, target):
    B = normalization.critically_normalize(A, target=target)
    np.testing.assert_allclose(normalization.critically_normalize(3 * B, target=target), B)


@PROPERTY
@given(A=matrices().map(stabilise), a=st.floats(0, 0.1), b=st.floats(0, 0.1))
def test_network(A, a, b):
    network = LinearNetwork(A)
    S = network.covariance()
    F = A - np.eye(len(A))
    scale = np.abs(F @ S).max()
    np.testing.assert_allclose(F @ S + S @ F.T, -np.eye(len(A)), atol=1e-9 * max(scale, 1))
    values = network.covariance_eigenvalues()
    assert np.all(np.diff(values) <= 1e-12) and values.min() > 0
    assert values.sum() == pytest.approx(np.trace(S))
    np.testing.assert_allclose(
        network.propagator(a) @ network.propagator(b), network.propagator(a + b), atol=1e-10
    )
    np.testing.assert_allclose(network.propagator(0), np.eye(len(A)), atol=1e-12)
    np.testing.assert_allclose(network.autocovariance(0), S, rtol=1e-10, atol=1e-12)


@PROPERTY
@given(
    A=float_types.flatmap(lambda dtype: matrices(dtype=dtype).map(stabilise)),
    tau=st.floats(1e-4, 10), width=st.floats(-8, 5), n_bins=st.integers(1, 9),
    n_trials=st.integers(1, 3), average=st.booleans(), seed=st.integers(0, 2**63),
)  # fmt: skip
def test_simulation_at_any_width(A, tau, width, n_bins, n_trials, average, seed):
    dt = tau * 10**width
    X = LinearNetwork(A, tau=tau).simulate(
        n_bins * dt, dt, n_trials=n_trials, average=average, rng=seed
    )
    assert X.shape == ((n_trials,) if n_trials > 1 else ()) + (len(A), n_bins)
    assert X.dtype == A.dtype and np.isfinite(X).all()
    # variances are at most 1 / (2 gap) of the symmetric part, here at most 1/2; 9 s.d.
    assert np.abs(X).max() < 9


@PROPERTY
@given(X=KINDS["activity"], seed=st.integers(0, 99))
def test_spectrum(X, seed):
    values = spectra.covariance_spectrum(X, zscore=False)
    assert values.shape == (min(len(X), X.shape[1] - 1),)
    assert np.all(values >= 0) and np.all(np.diff(values) <= 0)
    tolerance = {"rtol": 1e-3, "atol": 1e-5 * max(values[0], 1)}
    np.testing.assert_allclose(values.sum(), X.var(axis=1).sum(), **tolerance)
    rng = np.random.default_rng(seed)
    other = X[rng.permutation(len(X))][:, rng.permutation(X.shape[1])]
    np.testing.assert_allclose(
        spectra.covariance_spectrum(other, zscore=False), values, **tolerance
    )
    z = spectra.covariance_spectrum(X)
    rescaled = X * rng.uniform(0.5, 2, (len(X), 1)).astype(X.dtype) + rng.integers(-3, 3)
    np.testing.assert_allclose(
        spectra.covariance_spectrum(rescaled.astype(X.dtype)), z, atol=2e-3 * z[0]
    )


@PROPERTY
@given(X=KINDS["activity"], a=st.integers(1, 4), b=st.integers(1, 4))
def test_bins_of_bins_are_bins(X, a, b):
    X = np.repeat(X, a * b, axis=1) + np.arange(X.shape[1] * a * b) % 3
    twice = spectra.bin_in_time(spectra.bin_in_time(X, a), b)
    np.testing.assert_allclose(twice, spectra.bin_in_time(X, a * b), rtol=1e-5, atol=1e-5)


@PROPERTY
@given(X=KINDS["activity"], n_rounds=st.integers(0, 20), seed=st.integers(0, 2**63))
def test_shuffle_keeps_the_values_of_each_neuron(X, n_rounds, seed):
    Y = spectra.shuffle_in_time(X, n_rounds=n_rounds, rng=seed)
    assert Y.dtype == X.dtype
    np.testing.assert_array_equal(np.sort(Y, axis=1), np.sort(X, axis=1))


@PROPERTY
@given(
    tau=st.floats(1, 1000), height=st.floats(0.4, 1),  # at most 200 s of lags: no underflow
    lags=hnp.arrays(float, st.integers(2, 20), elements=st.floats(1e-3, 10)).map(np.cumsum),
)  # fmt: skip
def test_decay_time_of_an_exponential(tau, height, lags):
    lags = lags - lags[0]
    found = timescales.decay_time(lags, height * np.exp(-lags / tau))
    crossing = tau * (1 + np.log(height))  # where height * exp(-t / tau) = 1 / e
    if crossing < lags[-1] * (1 - 1e-9):
        assert found == pytest.approx(crossing, rel=1e-6, abs=1e-9)
    elif crossing > lags[-1] * (1 + 1e-9):
        assert found == np.inf
