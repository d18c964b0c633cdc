"""Random matrices against their limiting laws, and against other ways of drawing them."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from critlib import ensembles, spectra

# The law of one entry, written down independently of critlib: (law, its kurtosis E[z^4]).
LAWS = {
    "uniform": (scipy.stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)), 1.8),
    "gaussian": (scipy.stats.norm(), 3.0),
    "binary": (None, 1.0),
    "truncated_gaussian": (scipy.stats.halfnorm(), None),
    "exponential": (scipy.stats.expon(), 9.0),
    "lognormal": (scipy.stats.lognorm(1), None),
}
# Below this a test of a true hypothesis fails; the seeds are fixed, so it either does or does not.
ALPHA = 1e-4


def standardized(name):
    """Cumulative distribution of a law, shifted and scaled to mean 0 and variance 1."""
    law = LAWS[name][0]
    return lambda x: law.cdf(law.mean() + law.std() * x)


def kurtosis(name):
    law, value = LAWS[name]
    return float(law.stats("k") + 3) if value is None else value


def upper(A):
    return A[np.triu_indices(len(A), 1)]


@pytest.mark.parametrize("distribution", LAWS)
@pytest.mark.parametrize("symmetry", [1.0, 0.4, 0.0])
def test_entries_have_the_law_they_are_named_after(distribution, symmetry):
    # Kolmogorov-Smirnov on 80,000 independent entries resolves differences of about 0.5%, so a
    # wrong mean, a wrong variance or the wrong shape all show.
    n = 400
    A = ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=1)
    entries = upper(A) * np.sqrt(n) * (1 + symmetry)
    if distribution == "binary":
        np.testing.assert_allclose(np.abs(entries), 1)
        ups = int((entries > 0).sum())
        assert scipy.stats.binomtest(ups, entries.size, 0.5).pvalue > ALPHA
    else:
        assert scipy.stats.kstest(entries, standardized(distribution)).pvalue > ALPHA
        lower = upper(A.T) * np.sqrt(n) * (1 + symmetry)
        assert scipy.stats.kstest(lower, standardized(distribution)).pvalue > ALPHA


@pytest.mark.parametrize("distribution", LAWS)
@pytest.mark.parametrize("symmetry", [1.0, 0.5, 0.0, -0.5, -1.0])
def test_correlation_and_variance_of_entries(distribution, symmetry):
    n = 400
    A = ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=2)
    half_axis = 1 + symmetry if symmetry > -1 else 2
    a, b = (upper(M) * np.sqrt(n) * half_axis for M in (A, A.T))
    m, k = a.size, kurtosis(distribution)
    # Unit variances are known, so the mean of a*b estimates the correlation. Its variance is at
    # most that of a perfectly dependent pair, (E[a^4] - 1) / m, or (1 + |r| (k - 1)) / m between.
    se = np.sqrt(max(abs(symmetry) * k + 1 - abs(symmetry) - symmetry**2, 0) / m)
    assert abs(np.mean(a * b) - symmetry) < 5 * se + 1e-12
    # variance of the mean of a^2 is (k - 1) / m; binary entries have it exactly
    for x in (a, b):
        assert abs(np.mean(x**2) - 1) < 5 * np.sqrt((k - 1) / m) + 1e-12
        assert abs(np.mean(x)) < 5 / np.sqrt(m)


@pytest.mark.parametrize("distribution", LAWS)
def test_symmetric_draws_follow_the_semicircle(distribution):
    n = 600
    values = np.linalg.eigvalsh(ensembles.random_connectivity(n, distribution=distribution, rng=3))
    law = scipy.stats.semicircular()
    distance = scipy.stats.kstest(values, law.cdf).statistic
    # Eigenvalues repel: the number below x has variance (2 / pi^2) log n, s.d. 1.1 here, not
    # n/4. The sample variance of the entries, off by (k - 1)^0.5 / n relative, moves at most
    # max(x pdf(x)) n = 0.32 n times that many. 5 of those s.d. and 3 for zero diagonal and edge:
    counts = 5 * np.hypot(1.1, 0.32 * np.sqrt(kurtosis(distribution) - 1) / 2) + 3
    # each entry larger than half the radius throws out one eigenvalue at either end
    if distribution == "lognormal":
        threshold = 0.5 * np.sqrt(n) * 2
        counts += 2 * n**2 / 2 * (1 - standardized("lognormal")(threshold))
    assert distance < counts / n
    assert counts / n < 0.06  # or the line above would say nothing


@pytest.mark.parametrize("distribution", [d for d in LAWS if d != "lognormal"])
def test_edge_is_at_one_up_to_tracy_widom_fluctuations(distribution):
    n = 600
    tops = np.array(
        [
            scipy.linalg.eigvalsh(
                ensembles.random_connectivity(n, distribution=distribution, rng=seed),
                subset_by_index=(n - 1, n - 1),
            )[0]
            for seed in range(3)
        ]
    )
    # Tracy-Widom 1 has mean -1.21 and s.d. 1.27 in units of n^(-2/3) / 2; the population variance
    # is known only up to the zero diagonal, 1/n. Five s.d. from the mean, for each draw:
    unit = n ** (-2 / 3) / 2
    assert np.all(np.abs(tops - 1 + 1.21 * unit) < 5 * 1.27 * unit + 3 / n)


@pytest.mark.parametrize("symmetry", [0.5, 0.0, -0.3])
@pytest.mark.parametrize("distribution", ["uniform", "binary"])
def test_partly_symmetric_draws_fill_the_ellipse(symmetry, distribution):
    n = 500
    A = ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=4)
    values = np.linalg.eigvals(A)
    minor = (1 - symmetry) / (1 + symmetry)
    # A point uniform in an ellipse has mean square a^2/4 along each axis. Linear statistics of
    # eigenvalues fluctuate like 1/n with constants of order 1; 10/n leaves room for edges.
    assert abs(np.mean(values.real**2) - 1 / 4) < 10 / n
    assert abs(np.mean(values.imag**2) - minor**2 / 4) < 10 / n * max(1, minor**2)
    radius = np.hypot(values.real, values.imag / minor)
    # uniform in the disk: squared radius uniform. The edge is smeared over n^(-1/2).
    assert scipy.stats.kstest(np.minimum(radius**2, 1), "uniform").statistic < 1.5 / np.sqrt(n)
    assert radius.max() < 1 + 4 / np.sqrt(n)


def test_antisymmetric_draw_is_scaled_to_end_at_i():
    n = 500
    A = ensembles.random_connectivity(n, symmetry=-1, rng=5)
    np.testing.assert_array_equal(A, -A.T)
    values = np.linalg.eigvalsh(1j * A)  # real: i times an antisymmetric matrix is Hermitian
    assert abs(values.max() - 1) < 5 * 1.27 * n ** (-2 / 3)
    assert scipy.stats.kstest(values, scipy.stats.semicircular().cdf).statistic < 10 / n


def test_heavier_tails_break_universality():
    # A check of the check above: Cauchy entries must not pass for a semicircle.
    n = 300
    A = np.random.default_rng(0).standard_cauchy((n, n))
    A = np.triu(A, 1)
    A = (A + A.T) / (2 * np.sqrt(n))
    law = scipy.stats.semicircular()
    assert scipy.stats.kstest(np.linalg.eigvalsh(A), law.cdf).statistic > 0.1


def test_shape_diagonal_dtype_and_exact_symmetry():
    for symmetry in (1, 0.3, 0, -0.3, -1):
        A = ensembles.random_connectivity(7, symmetry=symmetry, rng=0)
        assert A.shape == (7, 7) and A.dtype == np.float64
        assert not np.diag(A).any()
        assert np.array_equal(A, A.T) == (symmetry == 1)
        assert np.array_equal(A, -A.T) == (symmetry == -1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: ensembles.random_connectivity(20, symmetry=0.5, rng=rng),
        lambda rng: ensembles.goe_top_eigenvalues(50, 5, rng=rng),
    ],
)
def test_randomness_comes_only_through_rng(draw):
    np.testing.assert_array_equal(draw(3), draw(3))
    np.testing.assert_array_equal(draw(np.int64(3)), draw(np.random.default_rng(3)))
    assert not np.array_equal(draw(3), draw(4))
    assert not np.array_equal(draw(None), draw(None))
    generator = np.random.default_rng(3)
    first, second = draw(generator), draw(generator)
    assert not np.array_equal(first, second)  # the generator has moved on
    kind, keys, *position = np.random.get_state()  # noqa: NPY002
    draw(None), draw(1)
    after = np.random.get_state()  # noqa: NPY002
    assert kind == after[0] and np.array_equal(keys, after[1]) and tuple(position) == after[2:]


# --- top eigenvalues without the matrix ----------------------------------------------------------


def dense_goe_top(n, k, rng):
    """Largest eigenvalues of a Gaussian symmetric matrix that is built, semicircle on [-1, 1]."""
    G = rng.standard_normal((n, n))
    H = (G + G.T) / np.sqrt(2)  # off-diagonal variance 1, diagonal variance 2
    return scipy.linalg.eigvalsh(H, subset_by_index=(n - k, n - 1))[::-1] / (2 * np.sqrt(n))


@pytest.mark.parametrize(
    ("n", "ranks", "dense_draws", "draws"),
    [(1000, (1, 5, 30), 40, 400), (60, (1, 3, 20, 30, 60), 1500, 1500)],
)
def test_top_eigenvalues_have_the_law_of_a_dense_matrix(n, ranks, dense_draws, draws):
    rng = np.random.default_rng(6)
    k = max(ranks)
    dense = np.array([dense_goe_top(n, k, rng) for _ in range(dense_draws)])
    ours = np.array([ensembles.goe_top_eigenvalues(n, k, rng=rng) for _ in range(draws)])
    assert ours.shape == (draws, k) and np.all(np.diff(ours, axis=1) < 0)
    for rank in ranks:
        pvalue = scipy.stats.ks_2samp(dense[:, rank - 1], ours[:, rank - 1]).pvalue
        assert pvalue > ALPHA, f"rank {rank}: p = {pvalue:.2g}"
    # gaps are sensitive to correlations between neighbours, which ranks one by one are not
    pvalue = scipy.stats.ks_2samp(dense[:, 0] - dense[:, 1], ours[:, 0] - ours[:, 1]).pvalue
    assert pvalue > ALPHA


def test_largest_eigenvalue_follows_tracy_widom():
    # Mean and s.d. of the Tracy-Widom law for beta = 1 (Bornemann 2010): -1.2065336, 1.2680340.
    # Corrections at finite n are of order n^(-1/3) = 0.02 or smaller.
    n, draws = 100_000, 300
    tops = [ensembles.goe_top_eigenvalues(n, 1, rng=seed)[0] for seed in range(draws)]
    scaled = (np.array(tops) - 1) * 2 * n ** (2 / 3)
    assert abs(scaled.mean() + 1.2065) < 5 * 1.268 / np.sqrt(draws) + 0.02
    # kurtosis of the law is 3.17: the variance has a relative standard error of (2.17 / m)^0.5
    assert abs(scaled.var() / 1.268**2 - 1) < 5 * np.sqrt(2.17 / draws) + 0.02


@pytest.mark.parametrize(("n", "k"), [(30_000, 1), (30_000, 40), (10_000, 500)])
def test_leading_block_has_the_eigenvalues_of_the_whole(n, k, monkeypatch):
    # Catch the tridiagonal block that is decomposed, complete it to all n rows with fresh random
    # numbers, and compare: the rows that were left out must not matter.
    seen = {}
    solve = scipy.linalg.eigh_tridiagonal

    def record(diagonal, off_diagonal, **options):
        seen["block"] = diagonal, off_diagonal
        return solve(diagonal, off_diagonal, **options)

    monkeypatch.setattr(ensembles, "eigh_tridiagonal", record)
    top = ensembles.goe_top_eigenvalues(n, k, rng=7)
    diagonal, off_diagonal = seen["block"]
    rows = len(diagonal)
    assert k < rows < n  # otherwise there is nothing to test
    rng = np.random.default_rng(8)
    diagonal = np.append(diagonal, rng.normal(scale=np.sqrt(2), size=n - rows))
    degrees = n - 1.0 - np.arange(rows - 1, n - 1)
    off_diagonal = np.append(off_diagonal, np.sqrt(rng.chisquare(degrees)))
    whole = solve(
        diagonal, off_diagonal, eigvals_only=True, select="i", select_range=(n - k, n - 1)
    )[::-1] / (2 * np.sqrt(n))
    np.testing.assert_allclose(top, whole, rtol=0, atol=1e-12)


def test_top_eigenvalues_of_a_matrix_too_large_to_store():
    n, k = 10**11, 5
    top = ensembles.goe_top_eigenvalues(n, k, rng=9)
    # 8 units of the edge's fluctuations hold the first five points of the Airy process, whose
    # fifth lies near -7.6 (zeros of Ai: -2.3, -4.1, -5.5, -6.8, -7.9)
    scaled = (top - 1) * 2 * n ** (2 / 3)
    assert np.all(np.diff(scaled) < 0)
    assert np.all(np.abs(scaled - np.array([-1.2, -3.3, -4.9, -6.2, -7.4])) < 6)


@pytest.mark.parametrize(("n", "published"), [(10_000, 0.65), (100_000, 0.59), (1_000_000, 0.36)])
def test_exponent_falls_with_size_as_published(n, published):
    # paper.md, section 7: "about 0.65 at 1e4, 0.59 at 1e5, 0.36 at 1e6" with lambda_max 0.998,
    # one draw each. One draw has an s.d. of 0.013 at 1e4 and 0.018 at 1e5 (normalising by the
    # drawn largest eigenvalue makes it that large); 3 s.d. for theirs and rounding to 0.01.
    exponents = []
    for seed in range(3 if n < 10**6 else 1):
        top = ensembles.goe_top_eigenvalues(n, 500, rng=seed)
        variances = 1 / (2 * (1 - 0.998 * top / top[0]))
        exponents.append(spectra.fit_power_law(variances).exponent)
    assert abs(np.mean(exponents) - published) < 3 * 0.018 + 0.005


def test_paper_exponent_in_46_ms_bins():
    # Figure 2c: 0.69 at N = 10,000, 46 ms bins. Averaging over a bin of h = 0.046 / 0.02 time
    # constants multiplies the variance of a mode with gap g by 2 (z - 1 + exp(-z)) / z^2, z = g h.
    exponents = []
    for seed in range(4):
        top = ensembles.goe_top_eigenvalues(10_000, 500, rng=seed)
        gap = 1 - 0.998 * top / top[0]
        z = gap * 2.3
        variances = 1 / (2 * gap) * 2 * (z - 1 + np.exp(-z)) / z**2
        exponents.append(spectra.fit_power_law(variances).exponent)
    assert abs(np.mean(exponents) - 0.69) < 3 * 0.013  # s.d. of the paper's one draw


# --- the laws themselves -------------------------------------------------------------------------


def test_semicircle_density_and_quantile_against_scipy():
    law = scipy.stats.semicircular()
    x = np.linspace(-1.2, 1.2, 101)
    np.testing.assert_allclose(ensembles.semicircle_pdf(x), law.pdf(x), atol=1e-14)
    q = np.array([0.01, 0.1, 0.3, 0.5, 0.77, 0.999])
    np.testing.assert_allclose(law.cdf(ensembles.semicircle_quantile(q)), q, rtol=1e-9)
    assert ensembles.semicircle_pdf(0.0).shape == () and ensembles.semicircle_pdf([]).shape == (0,)
    assert ensembles.semicircle_quantile([[0.5, 1.0]]).tolist() == [[0.0, 1.0]]


def test_quantile_keeps_its_digits_at_the_edge():
    # near the edge 1 - F(x) = (2 / (3 pi)) 2^1.5 (1 - x)^1.5, so 1 - x = (3 pi p / (4 2^0.5))^(2/3)
    p = 1e-12
    expected = (3 * np.pi * p / (4 * np.sqrt(2))) ** (2 / 3)
    assert 1 + ensembles.semicircle_quantile(p) == pytest.approx(expected, rel=1e-4)
    assert 1 - ensembles.semicircle_quantile(1 - p) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("symmetry", [1.0, 0.25, 0.0, -0.4, -1.0])
def test_ellipse_boundary(symmetry):
    edge = ensembles.ellipse_boundary(symmetry, n_points=81)
    assert edge.shape == (81,) and np.iscomplexobj(edge)
    assert edge[0] == pytest.approx(edge[-1], abs=1e-12)
    if symmetry == -1:
        assert not edge.real.any() and edge.imag.max() == pytest.approx(1)
        return
    minor = (1 - symmetry) / (1 + symmetry)
    assert edge.real.max() == 1 and edge[0].real == 1
    assert edge.imag.max() == pytest.approx(minor)
    if minor:
        np.testing.assert_allclose(edge.real**2 + (edge.imag / minor) ** 2, 1)
        area = 0.5 * np.sum(
            edge.real[:-1] * np.diff(edge.imag) - edge.imag[:-1] * np.diff(edge.real)
        )
        assert area == pytest.approx(np.pi * minor, rel=0.01)  # positive: counter-clockwise
