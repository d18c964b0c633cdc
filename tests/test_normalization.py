"""The right-most eigenvalue against the full decomposition, on every kind of matrix."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import ArpackNoConvergence

from critlib import ensembles, normalization
from critlib.normalization import critically_normalize, spectral_abscissa

N = normalization._SMALL + 20  # just above: the iterative methods are used
assert N > 400


def random(n=N, symmetry=0.0, distribution="gaussian", rng=0):
    return ensembles.random_connectivity(n, symmetry=symmetry, distribution=distribution, rng=rng)


def with_eigenvalues(values, rng=0):
    """A normal (orthogonally similar) real matrix: real values, and pairs for complex ones."""
    blocks = [
        [[v.real]] if v.imag == 0 else [[v.real, v.imag], [-v.imag, v.real]]
        for v in np.atleast_1d(values).astype(complex)
    ]
    D = scipy.linalg.block_diag(*blocks)
    n = len(D)
    Q = np.linalg.qr(np.random.default_rng(rng).standard_normal((n, n)))[0]
    return Q @ D @ Q.T


def bulk(n, rng=0):
    """Eigenvalues of a disk of radius 0.9 in complex pairs, n in all."""
    rng = np.random.default_rng(rng)
    return (
        0.9 * np.sqrt(rng.random(n // 2)) * np.exp(1j * np.pi * (0.02 + 0.96 * rng.random(n // 2)))
    )


def near_ties(gap):
    """Ten right-most pairs whose real parts differ by `gap`, far apart along the imaginary axis."""
    tops = 1 - gap * np.arange(10) + 1j * np.linspace(0.1, 0.9, 10)
    return with_eigenvalues(np.append(tops[::-1], bulk(N - 20)))


def oblique(A, condition):
    """A similar matrix, so with the same eigenvalues, whose eigenvectors are far from normal."""
    U, V = (np.linalg.qr(random(rng=seed))[0] for seed in (11, 12))
    S = (U * np.geomspace(1, condition, N)) @ V
    return S @ A @ np.linalg.inv(S)


def double(gap, symmetry=0.0):
    """Every eigenvalue twice, the copies apart by a factor 1 + gap."""
    return np.kron(np.diag([1.0, 1 + gap]), random(N // 2, symmetry=symmetry, rng=3))


def clustered(symmetry):
    A = random(symmetry=symmetry, rng=4)
    label = np.arange(N) // (N // 4)
    return np.where(label[:, None] == label, A, 0.1 * A)


def heavy_tailed(symmetric):
    A = np.random.default_rng(5).standard_t(1.5, (N, N))
    return A + A.T if symmetric else A


def dale():
    """Excitatory and inhibitory columns: all outgoing weights of a neuron have one sign."""
    A = np.abs(random(rng=6))
    A[:, 1::2] *= -1
    return A


def shifted_up(A):
    """An outlier at about 3 on top of a disk of radius 1."""
    return A + 3 / len(A)


DENSE = {
    "circular": lambda: random(),
    "circular, another draw": lambda: random(N + 181, rng=1),
    "uniform": lambda: random(distribution="uniform", rng=2),
    "lognormal": lambda: random(distribution="lognormal", rng=2),
    "binary": lambda: random(distribution="binary", rng=2),
    "elliptic 0.5": lambda: random(symmetry=0.5),
    "elliptic 0.95": lambda: random(symmetry=0.95),
    "elliptic -0.5": lambda: random(symmetry=-0.5),
    "elliptic -0.98": lambda: random(symmetry=-0.98),
    "antisymmetric": lambda: random(symmetry=-1),
    "symmetric": lambda: random(symmetry=1),
    "symmetric, lognormal": lambda: random(symmetry=1, distribution="lognormal"),
    "symmetric, outlier": lambda: shifted_up(random(symmetry=1)),
    "symmetric, negative outlier": lambda: random(symmetry=1) - 100 / N,
    "outlier": lambda: shifted_up(random()),
    "huge outlier": lambda: random() + 10.0,
    "negative outlier": lambda: random() - 10 / N,
    "huge negative outlier": lambda: random() - 1.0,
    "Dale's law": dale,
    "balanced rows": lambda: dale() - dale().mean(axis=1, keepdims=True),
    "far from normal": lambda: random() + np.outer(np.ones(N), 30 * (-1.0) ** np.arange(N)) / N,
    "a noisy chain": lambda: 0.1 * random() + 3 * np.eye(N, k=-1),
    "triangular and noise": lambda: 0.3 * random() + 3 * np.tril(random(rng=1), -1),
    "heavy-tailed": lambda: heavy_tailed(False),
    "heavy-tailed, symmetric": lambda: heavy_tailed(True),
    "clustered": lambda: clustered(0.0),
    "clustered, symmetric": lambda: clustered(1.0),
    "copies 1e-12 apart": lambda: double(1e-12),
    "copies 1e-8 apart": lambda: double(1e-8),
    "copies 1e-6 apart": lambda: double(1e-6),
    "copies 1e-4 apart": lambda: double(1e-4),
    "exact copies": lambda: double(0.0),
    "symmetric copies 1e-6 apart": lambda: double(1e-6, symmetry=1.0),
    "ten pairs 1e-12 apart": lambda: near_ties(1e-12),
    "ten pairs 1e-7 apart": lambda: near_ties(1e-7),
    "ten pairs 1e-5 apart": lambda: near_ties(1e-5),
    "ten pairs 1e-3 apart": lambda: near_ties(1e-3),
    "ten oblique pairs 1e-5 apart": lambda: oblique(near_ties(1e-5), 100),
    "ten oblique pairs 1e-5 apart, further": lambda: oblique(near_ties(1e-5), 1000),
    "orthogonal": lambda: with_eigenvalues(np.exp(1j * np.pi * (np.arange(N // 2) + 0.4) / N * 2)),
    "all on a vertical line": lambda: with_eigenvalues(0.5 + 1j * np.arange(1, N // 2 + 1) / N),
    "fast rotation, real runner-up": lambda: with_eigenvalues(
        np.append([0.999, 1 + 30j], bulk(N - 3))
    ),
    "real winner, fast rotation behind": lambda: with_eigenvalues(
        np.append([1.0, 0.9999 + 30j], bulk(N - 3))
    ),
    "all negative": lambda: random() - 2 * np.eye(N),
    "a multiple of the identity": lambda: -0.3 * np.eye(N),
    "low rank": lambda: np.outer(np.arange(N), np.cos(np.arange(N))) / N,
    "a cycle": lambda: np.roll(np.eye(N), 1, axis=0),
    "integers": lambda: np.random.default_rng(7).integers(-3, 4, (N, N)),
    "booleans": lambda: np.random.default_rng(7).random((N, N)) < 0.02,
}


@pytest.mark.parametrize("kind", DENSE)
def test_equals_the_full_decomposition(kind):
    A = DENSE[kind]()
    before = A.copy()
    values = np.linalg.eigvals(A.astype(float))
    found = spectral_abscissa(A)
    assert isinstance(found, float)
    # The requirement is 1e-6 relative; relative to the largest modulus where the real part is
    # small against it, since that is what sets the rounding error of the full decomposition.
    error = abs(found - values.real.max())
    assert error <= 1e-6 * max(abs(values.real.max()), 1e-3 * np.abs(values).max())
    np.testing.assert_array_equal(A, before)


def sparse(symmetric, p=0.02, n=600, offset=0.0):
    rng = np.random.default_rng(8)
    mask = rng.random((n, n)) < p
    A = np.where(mask, rng.standard_normal((n, n)) + offset, 0)
    return np.triu(A, 1) + np.triu(A, 1).T if symmetric else A


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("layout", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse_equals_dense(symmetric, offset, layout):
    A = sparse(symmetric, offset=offset)
    S = getattr(scipy.sparse, layout)(A)
    expected = np.linalg.eigvals(A).real.max()
    assert spectral_abscissa(S) == pytest.approx(expected, rel=1e-6)
    assert (S.toarray() == A).all()


def test_sparse_kinds():
    identity = scipy.sparse.eye_array(N, format="csr")
    assert spectral_abscissa(identity) == pytest.approx(1)
    assert spectral_abscissa(scipy.sparse.csr_array((N, N))) == 0
    assert spectral_abscissa(scipy.sparse.csr_array((3, 3), dtype=int)) == 0
    small = scipy.sparse.csr_array(np.array([[0, 2], [2, 0]]))
    assert spectral_abscissa(small) == pytest.approx(2)
    A = sparse(False)
    antisymmetric = scipy.sparse.csr_array(A - A.T)
    assert spectral_abscissa(antisymmetric) == pytest.approx(0, abs=1e-9)
    # two weakly coupled copies, sparse: near-ties without the refinement of the dense branch
    base = sparse(False, n=300, p=0.05)
    pair = scipy.sparse.block_diag([base, base * (1 + 1e-7)], format="csr")
    expected = np.linalg.eigvals(base).real.max() * (1 + 1e-7)
    assert spectral_abscissa(pair) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("symmetry", [0.0, 1.0])
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize("n", [30, N])
def test_units_do_not_matter(symmetry, scale, n):
    A = random(n, symmetry=symmetry)
    assert spectral_abscissa(A * scale) == pytest.approx(spectral_abscissa(A) * scale, rel=1e-6)


@pytest.mark.parametrize("symmetry", [0.0, 0.5, 1.0])
def test_float32(symmetry):
    A = random(symmetry=symmetry).astype(np.float32)
    expected = np.linalg.eigvals(A.astype(float)).real.max()
    # entries of A are given in float32, but they are exact numbers and so is the answer
    assert spectral_abscissa(A) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_small_matrices(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        A = rng.standard_normal((n, n))
        assert spectral_abscissa(A) == pytest.approx(np.linalg.eigvals(A).real.max(), rel=1e-12)
    assert spectral_abscissa(np.zeros((n, n))) == 0
    assert spectral_abscissa(A.tolist()) == spectral_abscissa(A)


def test_closed_forms():
    assert spectral_abscissa([[0.5, -3.0], [3.0, 0.5]]) == pytest.approx(0.5)
    # circulant: eigenvalues are the Fourier transform of the first column
    column = np.random.default_rng(9).standard_normal(N)
    expected = np.fft.fft(column).real.max()
    assert spectral_abscissa(scipy.linalg.circulant(column)) == pytest.approx(expected, rel=1e-6)
    # all to all: n - 1 once, -1 otherwise
    assert spectral_abscissa(np.ones((N, N)) - np.eye(N)) == pytest.approx(N - 1)


@pytest.mark.parametrize(
    "kind",
    ["circular", "uniform", "elliptic 0.5", "symmetric", "outlier", "Dale's law", "sparse"],
)
def test_ordinary_matrices_need_no_full_decomposition(kind, monkeypatch):
    A = scipy.sparse.csr_array(sparse(False)) if kind == "sparse" else DENSE[kind]()
    monkeypatch.setattr(normalization, "_full", lambda *args: pytest.fail("fell back"))
    assert spectral_abscissa(A) > 0


@pytest.mark.parametrize("how", ["no convergence", "singular", "refuses"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "symmetric"])
def test_falls_back_to_the_full_spectrum(how, kind, monkeypatch):
    A = sparse(kind == "symmetric", n=N)
    expected = np.linalg.eigvals(A).real.max()
    given = scipy.sparse.csr_array(A) if kind == "sparse" else A
    calls = []

    def fail(*args, **kwargs):
        calls.append(1)
        if how == "no convergence":
            raise ArpackNoConvergence("stalled %s", np.zeros(0), np.zeros((0, 0)))
        if how == "singular":
            raise np.linalg.LinAlgError("singular")

    for name in ("_lanczos", "_arnoldi") if how == "refuses" else ("eigs", "eigsh"):
        monkeypatch.setattr(normalization, name, fail)
    assert spectral_abscissa(given) == pytest.approx(expected, rel=1e-9)
    assert calls


def test_falls_back_when_candidates_do_not_refine(monkeypatch):
    A = random()
    calls = []
    monkeypatch.setattr(normalization, "_refine", lambda *args: calls.append(1))
    assert spectral_abscissa(A) == pytest.approx(np.linalg.eigvals(A).real.max(), rel=1e-9)
    assert len(calls) == 1


def test_refinement_gives_up_far_from_any_eigenvalue():
    A = random()
    vector = np.ones(N) + 0j
    assert normalization._refine(A, 5 + 5j, vector, 1e-3) is None


# --- critical normalization ----------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", [1.0, 0.0, -0.5])
@pytest.mark.parametrize("target", [0.5, 0.998, 1.0, 3.0])
def test_normalized_matrix_ends_at_the_target(symmetry, target):
    A = 7 * random(60, symmetry=symmetry)
    before = A.copy()
    B = critically_normalize(A, target=target)
    assert np.linalg.eigvals(B).real.max() == pytest.approx(target, rel=1e-9)
    ratio = B[A != 0] / A[A != 0]
    np.testing.assert_allclose(ratio, ratio[0])
    np.testing.assert_array_equal(A, before)
    assert not np.shares_memory(A, B)


def test_default_target_is_the_papers():
    assert np.linalg.eigvalsh(critically_normalize([[0, 5], [5, 0]])).max() == pytest.approx(0.998)


def test_normalized_sparse_stays_sparse_and_float32_stays_float32():
    A = scipy.sparse.csr_array(sparse(True))
    B = critically_normalize(A, target=0.9)
    assert scipy.sparse.issparse(B) and B.nnz == A.nnz
    assert spectral_abscissa(B) == pytest.approx(0.9)
    C = critically_normalize(random(50).astype(np.float32))
    assert C.dtype == np.float32
    assert np.linalg.eigvals(C.astype(float)).real.max() == pytest.approx(0.998, rel=1e-5)
    D = critically_normalize(np.array([[0, 3], [3, 0]]))
    assert D.dtype == np.float64


@pytest.mark.parametrize(
    "A",
    [
        np.zeros((3, 3)),
        -np.eye(3),
        np.triu(np.ones((3, 3)), 1),  # nilpotent: all eigenvalues zero
        np.array([[0.0, 2.0], [-2.0, 0.0]]),  # antisymmetric: all imaginary
        random(symmetry=-1.0),
        scipy.sparse.csr_array((4, 4)),
    ],
)
def test_nothing_to_the_right_of_zero_cannot_be_normalized(A):
    with pytest.raises(ValueError, match=r"^A has a largest real eigenvalue part of .*; use a"):
        critically_normalize(A)
