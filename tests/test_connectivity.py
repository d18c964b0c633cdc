"""Structured networks against their probabilities, and analyses against other ways to do them."""

import tracemalloc

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from critlib import connectivity, ensembles, normalization, spectra

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
NETWORKS = {
    "sparse": lambda n, **how: connectivity.sparse(n, 0.1, **how),
    "clustered": lambda n, **how: connectivity.clustered(
        n, cluster_size=max(1, n // 6), p_local=0.4, p_global=0.05, **how
    ),
    "spatial": lambda n, **how: connectivity.spatial(n, length=900.0, p_global=0.03, **how),
}
over_networks = pytest.mark.parametrize("name", NETWORKS)


def upper(A):
    return A[np.triu_indices(len(A), 1)]


def torus(x, size):
    """Distances between all points, over all images of the second."""
    turns = [(i * size, j * size) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    dx, dy = (x[:, None] - x).transpose(2, 0, 1)
    return np.min([np.hypot(dx + a, dy + b) for a, b in turns], axis=0)


def lattice(n, size=8000.0):
    """Even positions on a torus, sqrt(n) times sqrt(n)."""
    side = int(np.sqrt(n))
    x = np.arange(side) * size / side
    return np.array([(a, b) for a in x for b in x])


# --- networks ------------------------------------------------------------------------------------


@over_networks
def test_entries_are_connections_minus_their_probability(name):
    net = NETWORKS[name](300, rng=0)
    P, C = net.probability, net.connected
    assert net.A.shape == P.shape == C.shape == (300, 300)
    assert net.A.dtype == np.float64 and C.dtype == bool
    np.testing.assert_array_equal(net.A, net.A.T)
    assert not np.diag(net.A).any() and not np.diag(P).any() and not np.diag(C).any()
    np.testing.assert_array_equal(net.A, C.astype(float) - P)
    assert np.all((upper(P) > 0) & (upper(P) < 1))
    assert (net.positions is None) == (name != "spatial")
    assert (net.labels is None) == (name != "clustered")


def test_probabilities_are_those_asked_for():
    assert upper(connectivity.sparse(300, 0.1, rng=0).probability) == pytest.approx(0.1)

    net = connectivity.clustered(23, cluster_size=5, p_local=0.4, p_global=0.02, rng=0)
    assert np.bincount(net.labels).tolist() == [5, 5, 5, 5, 3]
    for i, j in zip(*np.triu_indices(23, 1), strict=True):
        assert net.probability[i, j] == pytest.approx(0.4 if i // 5 == j // 5 else 0.02)

    net = connectivity.spatial(40, length=300.0, size=1000.0, p_local=0.7, p_global=0.3, rng=0)
    x = net.positions
    assert x.shape == (40, 2) and x.min() >= 0 and x.max() < 1000
    expected = np.maximum(0.7 * np.exp(-torus(x, 1000.0) / 300), 0.3)
    np.testing.assert_allclose(upper(net.probability), upper(expected), atol=1e-12)
    assert 0.3 < np.mean(upper(expected) == 0.3) < 0.9  # both parts are used


def test_defaults_are_the_papers():
    net = connectivity.clustered(1001, p_global=0.0, rng=0)
    assert np.bincount(net.labels).tolist() == [500, 500, 1]
    assert net.probability.max() == 0.5 and net.probability[0, 600] == 0
    net = connectivity.spatial(400, p_global=0.001, rng=0)
    # uniform on the square: means of 800 coordinates, s.d. 8000 / sqrt(12)
    assert abs(net.positions.mean() - 4000) < 5 * 8000 / np.sqrt(12 * 800)
    assert scipy.stats.kstest(net.positions.ravel() / 8000, "uniform").pvalue > 1e-4


@over_networks
def test_mean_and_variance_at_every_probability(name):
    net = NETWORKS[name](500, rng=1)
    # rounded, or the last digit would tell who is connected
    a, p = upper(net.A), upper(net.probability).round(9)
    edges = np.quantile(p, [0.2, 0.4, 0.6, 0.8])
    group = np.searchsorted(np.unique(edges), p)
    for g in np.unique(group):
        part, v = a[group == g], (p * (1 - p))[group == g]
        assert abs(part.sum()) < 5 * np.sqrt(v.sum())
        # the square of an entry has variance p (1 - p) (1 - 2 p)^2
        spread = np.sqrt((v * (1 - 2 * p[group == g]) ** 2).sum())
        assert abs((part**2 - v).sum()) < 5 * spread


@pytest.mark.parametrize("name", ["sparse", "clustered"])
def test_mean_is_zero_entry_by_entry(name):
    draws = 400
    mean = np.mean([NETWORKS[name](30, rng=seed).A for seed in range(draws)], axis=0)
    p = NETWORKS[name](30, rng=0).probability
    z = upper(mean) / upper(np.sqrt(p * (1 - p) / draws))
    # 435 nearly Gaussian entries: the largest is beyond 5 s.d. with probability 2e-4
    assert np.abs(z).max() < 5
    # mean of z^2 is 1, its variance 2 / 435
    assert abs(np.mean(z**2) - 1) < 5 * np.sqrt(2 / 435)


def test_degrees_are_binomial():
    n, p = 1000, 0.02
    degrees = connectivity.sparse(n, p, rng=2).connected.sum(axis=1)
    law = scipy.stats.binom(n - 1, p)
    # each connection counts at both ends: the mean has twice the variance of independent degrees
    assert abs(degrees.mean() - law.mean()) < 5 * np.sqrt(2 * law.var() / n)
    assert abs(degrees.var() / law.var() - 1) < 5 * np.sqrt(2 / n)
    tail = np.mean(degrees > law.mean() + 2 * law.std())
    expected = law.sf(np.floor(law.mean() + 2 * law.std()))
    assert abs(tail - expected) < 5 * np.sqrt(expected / n)


@over_networks
def test_randomness_comes_only_through_rng_and_precision_does_not_matter(name):
    draw = NETWORKS[name]
    np.testing.assert_array_equal(draw(300, rng=3).A, draw(300, rng=np.random.default_rng(3)).A)
    assert not np.array_equal(draw(30, rng=3).A, draw(30, rng=4).A)
    assert not np.array_equal(draw(30).A, draw(30).A)
    single, double = draw(300, rng=3, dtype=np.float32), draw(300, rng=3)
    assert single.A.dtype == np.float32 and single.probability.dtype == np.float32
    np.testing.assert_array_equal(single.A, double.A.astype(np.float32))
    np.testing.assert_array_equal(single.connected, double.connected)


def test_every_pair_is_drawn_once_across_blocks():
    # 600 neurons are three blocks of rows; half of the pairs in each must be connected, and none
    # may repeat another
    A = connectivity.sparse(600, 0.5, rng=4).connected
    for rows in (slice(0, 256), slice(256, 512), slice(512, 600)):
        for columns in (slice(0, 256), slice(256, 512), slice(512, 600)):
            part = A[rows, columns]
            share = part.sum() / (part.size - len(part) * (rows == columns))
            assert abs(share - 0.5) < 5 * 0.5 * np.sqrt(2 / part.size)
    a, b = A[:256, :256][np.triu_indices(256, 1)], A[256:512, 256:512][np.triu_indices(256, 1)]
    assert abs(np.mean(a == b) - 0.5) < 5 * 0.5 / np.sqrt(a.size)


@over_networks
def test_spectrum_fills_the_semicircle_of_the_row_variance(name):
    n = 700
    net = NETWORKS[name](n, rng=5)
    v = (net.probability * (1 - net.probability)).sum(axis=1)
    values = np.linalg.eigvalsh(net.A) / (2 * np.sqrt(v.mean()))
    # unequal row variances (borders of a random point pattern) move the edge to first order by
    # their coefficient of variation, and a sparse row by its number of connections, 1 / degree
    uneven = v.std() / v.mean() + 1 / net.connected.sum(axis=1).mean()
    unit = n ** (-2 / 3) / 2  # Tracy-Widom: mean -1.21, s.d. 1.27 of these
    assert abs(values[-1] - 1 + 1.21 * unit) < 5 * 1.27 * unit + uneven
    assert uneven < 0.12
    distance = scipy.stats.kstest(values, scipy.stats.semicircular().cdf).statistic
    assert distance < 5 * 1.1 / n + 0.32 * uneven  # see test_ensembles


def test_few_connections_leave_the_semicircle():
    # three connections per neuron: the best connected neuron's eigenvalue is beyond its edge
    net = connectivity.sparse(2000, 3 / 2000, rng=6)
    most = net.connected.sum(axis=1).max()
    top = np.linalg.eigvalsh(net.A)[-1]
    assert top > 1.05 * 2 * np.sqrt(3) and top > np.sqrt(most)


def test_exponent_is_that_of_a_gaussian_network():
    # at a quarter of all connections sparse networks are universal: compare with the exact law
    n, ranks = 2000, (11, 200)

    def exponent(top):
        return spectra.fit_power_law(1 / (2 * (1 - 0.998 * top / top[0])), ranks=ranks).exponent

    dense = [exponent(ensembles.goe_top_eigenvalues(n, 200, rng=seed)) for seed in range(30)]
    ours = []
    for seed in range(3):
        ours.append(exponent(np.linalg.eigvalsh(connectivity.sparse(n, 0.25, rng=seed).A)[::-1]))
    error = np.std(dense, ddof=1) * np.sqrt(1 / 30 + 1 / 3)
    assert abs(np.mean(ours) - np.mean(dense)) < 4 * error
    assert error < 0.02  # or the line above would say nothing


# --- cell types and patterns ---------------------------------------------------------------------


def test_inhibitory_neurons_do_what_removing_the_mean_does():
    n, excitatory, p = 150, 120, 0.3
    A = connectivity.cell_types(n, p=p, rng=7)
    assert A[:, :excitatory].min() >= 0 and A[:, excitatory:].max() <= 0  # Dale's law
    np.testing.assert_allclose(A.sum(axis=1), 0, atol=1e-12)  # balance
    W = A[:excitatory, :excitatory]
    assert set(np.unique(W)) == {0, 1} and np.array_equal(W, W.T) and not np.diag(W).any()
    assert abs(upper(W).mean() - p) < 5 * np.sqrt(p * (1 - p) / upper(W).size)
    # eigenvalues: those of W - p, and a zero for each inhibitory neuron. One of these sits in a
    # Jordan block, so numerically it is known to the square root of the rounding
    expected = np.append(np.linalg.eigvalsh(W - p), np.zeros(n - excitatory))
    found = np.linalg.eigvals(A)
    np.testing.assert_allclose(np.sort(found.real), np.sort(expected), atol=1e-5)
    assert np.abs(found.imag).max() < 1e-5
    assert not np.allclose(A @ A.T, A.T @ A)  # not a normal matrix


def test_there_are_always_neurons_of_both_types():
    for n, fraction, excitatory in [(3, 0.01, 2), (3, 0.99, 2), (10, 0.99, 9), (10, 0.5, 5)]:
        A = connectivity.cell_types(n, fraction_excitatory=fraction, rng=0)
        assert np.all(A[excitatory:, :excitatory] == 0.5) and np.all(A[:, excitatory:] <= 0)
    same = connectivity.cell_types(9, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(same, connectivity.cell_types(9, rng=1))


@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0, 3.0])
def test_a_pattern_makes_an_outlier_where_theory_says(strength):
    n = 1000
    A = ensembles.random_connectivity(n, rng=8)
    values = np.linalg.eigvalsh(connectivity.low_rank(A, strength, rng=9))
    # the outlier is Gaussian around its limit: variance 2 s^2 (1 - 1 / (4 s^2)) / n with entries
    # of variance s^2 = 1 / (4 n), at most 1 / (2 n); the diagonal that is left out moves it by
    # strength / n, the zero diagonal of A by another 1 / n
    if strength > 0.5:
        limit = strength + 1 / (4 * strength)
        assert abs(values[-1] - limit) < 5 / np.sqrt(2 * n) + (strength + 1) / n
        assert values[-2] < 1 + 3 * n ** (-2 / 3)
    else:
        unit = n ** (-2 / 3) / 2
        assert abs(values[-1] - 1 + 1.21 * unit) < 5 * 1.27 * unit


def test_patterns_are_orthogonal_and_leave_the_diagonal():
    A = np.diag(np.arange(50.0))
    B = connectivity.low_rank(A, [3.0, -2.0], rng=0)
    np.testing.assert_array_equal(np.diag(B), np.arange(50.0))
    np.testing.assert_array_equal(B, B.T)
    np.testing.assert_array_equal(B, connectivity.low_rank(A, (3, -2), rng=0))
    # what is added, but for its diagonal: two eigenvalues beside zeros
    u = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 2)))[0]
    pattern = 3 * np.outer(u[:, 0], u[:, 0]) - 2 * np.outer(u[:, 1], u[:, 1])
    np.testing.assert_allclose(B - A, pattern - np.diag(np.diag(pattern)), atol=1e-12)
    assert connectivity.low_rank(A.astype(np.float32), 1.0, rng=0).dtype == np.float32
    with pytest.raises(ValueError, match="strengths holds 3 values but A has 2 neurons"):
        connectivity.low_rank(np.eye(2), [1, 2, 3])


# --- strong pairs --------------------------------------------------------------------------------


def correlations(n, seed):
    return np.corrcoef(np.random.default_rng(seed).standard_normal((n, 50)))


@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.1, 1.0])
def test_strong_pairs_against_sorting(fraction):
    n = 300  # more than one block of rows
    R = correlations(n, 0)
    before = R.copy()
    strong = connectivity.strong_pairs(R, fraction=fraction)
    np.testing.assert_array_equal(R, before)
    k = max(1, round(fraction * (n - 1)))
    for i in range(n):
        partners = [j for j in np.argsort(-R[i]) if j != i][:k]
        assert set(np.flatnonzero(strong[i])) == set(partners)
    single = connectivity.strong_pairs(R.astype(np.float32), fraction=fraction)
    assert np.mean(single == strong) > 0.999


def test_near_pairs_are_left_out():
    n = 300
    R = correlations(n, 1)
    x = np.random.default_rng(2).random((n, 2)) * 200
    near = torus(x, 200.0) < 20
    strong = connectivity.strong_pairs(R, positions=x, size=200.0, fraction=0.05)
    assert near.sum() > n and not strong[near].any()
    assert np.all(strong.sum(axis=1) == round(0.05 * (n - 1)))
    least = np.where(strong, R, np.inf).min(axis=1)
    others = np.where(strong | near, -np.inf, R).max(axis=1)
    assert np.all(least >= others)
    # without the torus, neurons at opposite edges are far
    flat = np.hypot(*(x[:, None] - x).transpose(2, 0, 1)) < 20
    strong = connectivity.strong_pairs(R, positions=x, size=None, fraction=0.05)
    assert not strong[flat].any() and strong[near].any()
    with pytest.raises(ValueError, match="min_distance is 500: a neuron has fewer than 3"):
        connectivity.strong_pairs(R, positions=x, min_distance=500.0)


def test_odds_and_means_against_loops():
    n, size = 60, 1000.0
    rng = np.random.default_rng(3)
    x, R = rng.random((n, 2)) * size, rng.standard_normal((n, n))
    strong = connectivity.strong_pairs(R, fraction=0.1)
    distance = torus(x, size)
    values, is_strong = [[] for _ in range(7)], [[] for _ in range(7)]
    for i in range(n):
        for j in range(n):
            if i != j and distance[i, j] >= 30:
                b = min(int(distance[i, j] / 90), 6)
                values[b].append(R[i, j])
                is_strong[b].append(strong[i, j])
    how = {"width": 90.0, "n_bins": 6, "min_distance": 30.0, "size": size}
    means = connectivity.mean_by_distance(R, x, **how)
    np.testing.assert_allclose(means.values, [np.mean(v) for v in values[:6]])
    np.testing.assert_allclose(means.distance, [45, 135, 225, 315, 405, 495])
    share = np.concatenate(is_strong).mean()
    odds = [np.mean(s) / (1 - np.mean(s)) / (share / (1 - share)) for s in is_strong[:6]]
    found = connectivity.strong_pair_odds(strong, x, **how)
    np.testing.assert_allclose(found.values, odds)
    assert found.near_over_far == pytest.approx(odds[0] / np.mean(odds[2:]))
    # whether pairs are strong, averaged, is the probability behind the odds
    probability = connectivity.mean_by_distance(strong, x, **how).values
    np.testing.assert_allclose(probability, [np.mean(s) for s in is_strong[:6]])


def test_odds_are_one_where_distance_does_not_matter():
    n = 1500
    rng = np.random.default_rng(4)
    x = rng.random((n, 2)) * 8000
    strong = rng.random((n, n)) < 0.01
    odds = connectivity.strong_pair_odds(strong, x)
    area = np.pi * 200**2 * (2 * np.arange(15) + 1) / 8000**2  # of the ring of each bin
    se = 1 / np.sqrt(0.01 * n**2 * area)
    assert np.all(np.abs(odds.values - 1) < 5 * se)
    assert abs(odds.near_over_far - 1) < 5 * se[0]


def test_bins_without_pairs_and_without_others():
    x = np.array([[0.0], [50.0], [250.0], [2000.0]])
    strong = np.zeros((4, 4), bool)
    strong[0, 1] = strong[1, 0] = True
    odds = connectivity.strong_pair_odds(strong, x, width=100.0, n_bins=5)
    np.testing.assert_array_equal(odds.values, [np.inf, np.nan, 0, np.nan, np.nan])
    assert np.isnan(odds.near_over_far)
    even = np.arange(0, 1000.0, 100)[:, None]
    strong = np.abs(even - even.T) == 100
    odds = connectivity.strong_pair_odds(strong, even, width=150.0, n_bins=5, size=None)
    assert odds.near_over_far == np.inf and not odds.values[1:].any()
    for all_or_none in (np.zeros((4, 4), bool), np.ones((4, 4), bool)):
        with pytest.raises(ValueError, match="there must be some"):
            connectivity.strong_pair_odds(all_or_none, x)
    with pytest.raises(TypeError, match="strong has dtype float64"):
        connectivity.strong_pair_odds(np.eye(4), x)


@pytest.mark.parametrize("p_global", [0.005, 0.3])
def test_strong_pairs_are_connected_and_near_as_in_the_paper(p_global):
    # Figure 4: strong pairs are likelier to be connected, their odds fall with distance where
    # p_global is far below p_local, top components are everywhere, mean correlations are flat.
    n = 1000
    net = connectivity.spatial(n, length=400.0, p_global=p_global, rng=10)
    values, vectors = np.linalg.eigh(normalization.critically_normalize(net.A))
    S = (vectors / (2 * (1 - values))) @ vectors.T
    R = S / np.sqrt(np.outer(np.diag(S), np.diag(S)))
    strong = connectivity.strong_pairs(R, positions=net.positions)
    chance = net.connected.mean()
    assert net.connected[strong].mean() > chance + 5 * np.sqrt(chance / strong.sum())
    odds = connectivity.strong_pair_odds(strong, net.positions)
    if p_global < 0.01:
        assert odds.near_over_far > 5 and np.all(np.diff(odds.values[:4]) < 0)
    else:
        assert odds.near_over_far < 1.5
    mean = connectivity.mean_by_distance(R, net.positions).values
    assert np.abs(mean).max() < 0.02 < 0.1 * R[strong].mean()
    spread = connectivity.mode_spread(vectors[:, -50:], net.positions, length=400.0)
    assert np.mean(spread) < 2  # a mode within one neighbourhood would have 8000^2 / (pi 600^2)


# --- modes ---------------------------------------------------------------------------------------


def test_spread_of_one_neuron_and_of_all():
    x = lattice(1600)
    within = (torus(x, 8000.0)[820] <= 375).sum()
    modes = np.zeros((1600, 3))
    modes[820, 0] = -2.0
    modes[0, 1] = 1e-200  # in a corner: its neighbours lie across both edges
    modes[:, 2] = np.where(np.arange(1600) % 2, 5.0, -5.0)
    spread = connectivity.mode_spread(modes, x)
    np.testing.assert_allclose(spread, [1600 / within, 1600 / within, 1])
    assert connectivity.mode_spread(modes[:, 0], x) == pytest.approx(1600 / within)
    assert connectivity.mode_spread(modes[:, 0].astype(np.float32), x) == spread[0]
    corner = (np.hypot(*x.T) <= 375).sum()  # without the torus a quarter of the disk is left
    assert connectivity.mode_spread(modes[:, 1], x, size=None) == pytest.approx(1600 / corner)


@pytest.mark.parametrize("length", [250.0, 800.0])
def test_spread_of_a_wave(length):
    # Weight 1 + cos(k (x - c)), k = 2 pi / 8000, centred on c; averaged over a disk of radius r:
    # 1 + 2 J1(k r) / (k r). On a lattice of spacing a the disk's average is off by about a / r.
    x = lattice(200**2)
    k, r, c = 2 * np.pi / 8000, 1.5 * length, 7700.0
    wave = np.cos(k * (x[:, 0] - c) / 2)
    # the centre along y, where the wave is even, is up to rounding: so is its disk
    expected = 1 + 2 * scipy.special.j1(k * r) / (k * r)
    assert connectivity.mode_spread(wave, x, length=length) == pytest.approx(expected, rel=0.01)


def test_spread_in_the_plane_and_where_nobody_is():
    x = np.array([[0.0, 0.0], [0.0, 10.0], [3000.0, 0.0]])
    modes = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    spread = connectivity.mode_spread(modes, x, size=None)
    assert spread[0] == pytest.approx(3 / 2) and np.isnan(spread[1])
    with pytest.raises(ValueError, match="0 everywhere"):
        connectivity.mode_spread(np.zeros((3, 2)), x)


def test_modes_come_in_blocks():
    rng = np.random.default_rng(5)
    x, modes = rng.random((200, 2)) * 8000, rng.standard_normal((200, 300))
    spread = connectivity.mode_spread(modes, x, length=600.0)
    for k in (0, 255, 256, 299):
        assert connectivity.mode_spread(modes[:, k], x, length=600.0) == pytest.approx(spread[k])


@pytest.mark.parametrize(
    "analyse",
    [
        lambda R, x: connectivity.strong_pairs(R, positions=x),
        lambda R, x: connectivity.mean_by_distance(R, x),
        lambda R, x: connectivity.strong_pair_odds(R > 0.4, x),
    ],
)
def test_no_full_matrix_of_distances_is_made(analyse):
    # At 10,000 neurons one such matrix is 800 MB. Here it is 72 MB, blocks of 256 rows are 6 MB
    # each, and a matrix of booleans is 9 MB.
    n = 3000
    rng = np.random.default_rng(6)
    R, x = rng.random((n, n)), rng.random((n, 2)) * 8000
    tracemalloc.start()
    analyse(R, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n**2


# --- laws ----------------------------------------------------------------------------------------


@PROPERTY
@given(
    n=st.integers(2, 30), size=st.floats(1, 1e5), length=st.floats(0.1, 1e5),
    p_local=st.floats(0.01, 0.99), p_global=st.floats(0, 0.99), seed=st.integers(0, 2**63),
)  # fmt: skip
def test_any_spatial_network(n, size, length, p_local, p_global, seed):
    how = {"length": length, "size": size, "p_local": p_local, "p_global": p_global}
    net = connectivity.spatial(n, **how, rng=seed)
    assert np.array_equal(net.A, net.A.T) and not np.diag(net.A).any()
    p = upper(net.probability)
    assert p.min() >= p_global - 1e-12 and p.max() <= max(p_local, p_global) + 1e-12
    assert net.positions.max() < size


@PROPERTY
@given(n=st.integers(6, 40), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 10**6))
def test_moving_everything_around_the_torus_changes_nothing(n, shift, seed):
    rng = np.random.default_rng(seed)
    x, modes = rng.random((n, 2)) * 8000, rng.standard_normal((n, 4))
    R = rng.standard_normal((n, n))
    strong = connectivity.strong_pairs(R, fraction=0.2)
    order = rng.permutation(n)
    moved = (x[order] + shift) % 8000
    before = connectivity.strong_pair_odds(strong, x, width=600.0)
    after = connectivity.strong_pair_odds(strong[np.ix_(order, order)], moved, width=600.0)
    np.testing.assert_allclose(after.values, before.values)
    spread = connectivity.mode_spread(modes, x, length=900.0)
    np.testing.assert_allclose(
        connectivity.mode_spread(modes[order], moved, length=900.0), spread, equal_nan=True
    )
