"""Figures: what is drawn is what was given, in the book's colours, with labels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from critlib import ensembles, plots, spectra


@pytest.fixture(autouse=True)
def fresh_figures():
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


VARIANCES = 3.0 * np.arange(1, 201) ** -0.7
DRAWINGS = {
    "eigenvalues": lambda **o: plots.eigenvalues([0.5 + 0.2j, 0.5 - 0.2j], **o),
    "density": lambda **o: plots.density(np.linspace(-1, 1, 50), **o),
    "spectrum": lambda **o: plots.spectrum(VARIANCES, **o),
    "raster": lambda **o: plots.raster(np.random.default_rng(0).random((3, 9)), 0.1, **o),
    "matrix": lambda **o: plots.matrix(np.eye(3), **o),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_draws_where_asked_and_labels_its_axes(name, ax):
    assert DRAWINGS[name](ax=ax) is ax
    assert ax.get_xlabel() and ax.get_ylabel()
    before = plt.get_fignums()
    own = DRAWINGS[name]()
    assert own.figure.number not in before
    own.figure.canvas.draw()  # and it can be rendered


@pytest.mark.parametrize("name", ["eigenvalues", "density", "spectrum"])
def test_label_goes_into_the_legend_and_kind_is_the_colour(name, ax):
    DRAWINGS[name](ax=ax, label="mine", kind="ca1")
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["mine"]
    handle = handles[0]
    color = handle.get_color() if hasattr(handle, "get_color") else handle.get_facecolor()
    assert to_hex(color) == to_hex(plots.COLORS["ca1"])


def test_eigenvalues(ax):
    values = np.array([0.3 + 0.4j, -0.5, 0.2 - 0.9j])
    boundary = ensembles.ellipse_boundary(0.5)
    plots.eigenvalues(values, boundary=boundary, ax=ax)
    points, curve, line = ax.lines
    np.testing.assert_array_equal(points.get_xydata(), np.stack([values.real, values.imag], 1))
    np.testing.assert_array_equal(curve.get_xydata(), np.stack([boundary.real, boundary.imag], 1))
    assert to_hex(curve.get_color()) == "#000000" and curve.get_linestyle() == "--"
    assert list(line.get_xdata()) == [1, 1]  # where instability begins
    assert ax.get_aspect() == 1
    real = plots.eigenvalues([0.5, 0.2]).lines[0]
    assert not real.get_ydata().any()


def test_density_is_normalised_and_can_show_a_law(ax):
    values = np.random.default_rng(0).uniform(-1.5, 1, 1000)
    plots.density(values, pdf=ensembles.semicircle_pdf, bins=20, ax=ax)
    assert len(ax.patches) == 20
    assert sum(bar.get_width() * bar.get_height() for bar in ax.patches) == pytest.approx(1)
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(y, ensembles.semicircle_pdf(x))
    assert x.min() == values.min() and x.max() == 1  # all of the data and all of the law


def test_spectrum_makes_an_exponent_a_slope(ax):
    fit = spectra.fit_power_law(VARIANCES, ranks=(10, 100))
    plots.spectrum(VARIANCES, fit=fit, ax=ax)
    data, fitted = ax.lines
    np.testing.assert_array_equal(data.get_xdata(), np.arange(1, 201))
    np.testing.assert_array_equal(data.get_ydata(), VARIANCES)
    assert list(fitted.get_xdata()) == [10, 100]
    np.testing.assert_allclose(fitted.get_ydata(), VARIANCES[[9, 99]])
    assert ax.get_xscale() == ax.get_yscale() == "log"
    # a decade is as long upward as sideways once drawn: the slope on paper is the exponent
    ax.figure.canvas.draw()
    (x1, y1), (x2, y2) = ax.transData.transform([(10, VARIANCES[9]), (100, VARIANCES[99])])
    assert (y2 - y1) / (x2 - x1) == pytest.approx(-0.7)


def test_subcritical_is_paler(ax):
    plots.spectrum(VARIANCES, kind="non-symmetric", closeness=0.2, ax=ax)
    assert to_rgb(ax.lines[0].get_color()) == plots.shade("non-symmetric", 0.2)
    for kind, color in plots.COLORS.items():
        assert plots.shade(kind, 1) == pytest.approx(to_rgb(color))
        shades = np.array([plots.shade(kind, closeness) for closeness in (0, 0.3, 0.7, 1)])
        assert np.all(np.diff(shades.sum(axis=1)) < 0)  # darker and darker
        assert np.all((shades >= 0) & (shades <= 1))


def test_raster_shows_neurons_from_the_top_and_seconds(ax):
    X = np.array([[0.0, 0, 0, 4], [1, 1, 1, 1], [2, 4, 2, 4]])
    plots.raster(X, 0.5, order=[2, 0, 1], limit=3, ax=ax)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array()[0], [-1, 1, -1, 1])  # row 2 first, z-scored
    np.testing.assert_allclose(image.get_array()[1], np.array([-1, -1, -1, 3]) / np.sqrt(3))
    assert not image.get_array()[2].any()  # a constant neuron stays blank
    assert image.get_extent() == [0, 2.0, 3, 0]
    assert image.get_clim() == (-3, 3)
    assert "(s)" in ax.get_xlabel()
    assert plots.raster(X, 0.5).images[0].get_clim() == (-2.5, 2.5)


def test_matrix_has_zero_in_the_middle_of_its_colours(ax):
    A = np.array([[0.0, 3], [-1, 0]])
    plots.matrix(A, ax=ax)
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), A)
    low, high = image.get_clim()
    assert low == -high and high == pytest.approx(np.percentile([0, 3, 1, 0], 99))
    push, pull = image.cmap(image.norm(3.0)), image.cmap(image.norm(-3.0))
    assert push[0] > push[2] and pull[2] > pull[0]  # pushing is red, pulling is blue
    assert len(ax.figure.axes) == 2  # the colour bar
    assert plots.matrix(A, limit=7).images[0].get_clim() == (-7, 7)
    assert plots.matrix(np.zeros((2, 2))).images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("band", "expected"), [((0.5,), (0.495, 0.505)), ((0.7, 0.85), (0.7, 0.85))]
)
def test_published_band(band, expected, ax):
    assert plots.published(*band, ax=ax) is ax
    bounds = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (bounds.y0, bounds.y1) == pytest.approx(expected)
    assert ax.get_legend_handles_labels()[1] == ["published"]


def test_plane(ax):
    path = np.array([[0.0, 1, 2, 3], [0, 1, 0, -1]])
    plots.plane(path, covariance=[[1, 0], [0, 4]], kind="symmetric", label="a path", ax=ax)
    *pieces, end, ellipse = ax.lines
    drawn = np.concatenate([piece.get_xydata() for piece in pieces])
    np.testing.assert_array_equal(np.unique(drawn, axis=0), np.unique(path.T, axis=0))
    np.testing.assert_array_equal(end.get_xydata(), path[:, -1:].T)
    x, y = ellipse.get_data()
    np.testing.assert_allclose(x**2 / 4 + y**2 / 16, 1)  # two standard deviations
    assert ax.get_aspect() == 1


def test_gap_axis(ax):
    ax.plot([0.1, 0.01], [1, 2])
    assert plots.gap_axis(ax, values=(0.9, 0.998)) is ax
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.9", "0.998"]
    np.testing.assert_allclose(ax.get_xticks(), [0.1, 0.002])
    assert ax.xaxis.get_inverted() and ax.get_xscale() == "log"


def test_style():
    plots.use_style()
    assert plt.rcParams["axes.spines.right"] is False
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert cycle[:2] == [plots.COLORS["symmetric"], plots.COLORS["non-symmetric"]]
    assert len(set(cycle)) == len(cycle)


def relative_luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def test_palette_is_the_designs_and_can_be_told_apart():
    wanted = {
        "symmetric": "#0072B2", "non-symmetric": "#D55E00", "echo-state": "#CC79A7",
        "cortex": "#56B4E9", "ca1": "#009E73",
    }  # fmt: skip
    assert wanted.items() <= plots.COLORS.items()
    # the two that are compared most differ in lightness too, for readers without colour
    light = {kind: relative_luminance(color) for kind, color in plots.COLORS.items()}
    assert abs(light["symmetric"] - light["non-symmetric"]) > 0.03
    # lines against white: WCAG asks 3 for graphics
    for kind in ("symmetric", "non-symmetric", "ca1", "theory", "data"):
        assert 1.05 / (light[kind] + 0.05) > 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.eigenvalues("abc"), "^values has dtype"),
        (lambda: plots.eigenvalues([1.0], boundary=["a"]), "^boundary has dtype"),
        (lambda: plots.eigenvalues([1.0], kind="blue"), "^kind is 'blue': choose one of"),
        (lambda: plots.density([]), "^values is empty"),
        (lambda: plots.density([np.nan]), "^values holds 1 NaN"),
        (lambda: plots.density([1j]), "^values has dtype complex"),
        (lambda: plots.density([1.0], kind="blue"), "^kind is 'blue'"),
        (lambda: plots.spectrum(None), "^variances has dtype object"),
        (lambda: plots.spectrum([np.inf, 1]), "^variances holds 1 NaN or infinite"),
        (lambda: plots.spectrum([2, 1], closeness=2), "^closeness is 2: it must be at most 1"),
        (lambda: plots.spectrum([2, 1], kind=3), "^kind is 3"),
        (lambda: plots.shade("symmetric", -0.1), "^closeness is -0.1: it must be at least 0"),
        (lambda: plots.shade("symmetric", "1"), "^closeness is '1'"),
        (lambda: plots.raster([1, 2], 1), r"^X has 1 dimension\(s\)"),
        (lambda: plots.raster([[1, 2]], 0), "^dt is 0: it must be greater than 0"),
        (lambda: plots.raster([[1, 2]], 1, limit=-1), "^limit is -1"),
        (lambda: plots.raster([[1, 2]], 1, order=[3]), r"^order is \[3\]: pass row numbers"),
        (lambda: plots.raster([[1, 2]], 1, order=[-1]), r"^order is \[-1\]"),
        (lambda: plots.raster([[1, 2]], 1, order=[0.5]), "^order has dtype float64"),
        (lambda: plots.matrix([[1, 2]]), r"^A has shape \(1, 2\): it must be square"),
        (lambda: plots.matrix([[1]], limit=0), "^limit is 0"),
        (lambda: plots.published("a", ax=None), "^low is 'a'"),
        (lambda: plots.published(1, "b", ax=None), "^high is 'b'"),
        (lambda: plots.plane([[1, 2]]), r"^path has shape \(1, 2\): pass two coordinates"),
        (lambda: plots.plane([[1], [2]]), r"^path has shape \(2, 1\)"),
        (
            lambda: plots.plane([[1, 2], [1, 2]], covariance=np.eye(3)),
            "^covariance has eigenvalues",
        ),
        (lambda: plots.plane([[1, 2], [1, 2]], covariance=-np.eye(2)), "^covariance has"),
        (lambda: plots.gap_axis(plt.gca(), values=[0.5, 1.0]), "^values holds 1: "),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_autocorrelations_are_drawn_as_given(ax):
    lags = [0.0, 0.1, 0.2]
    correlation = np.array([[1.0, 0.9, 0.8], [1.0, np.nan, 0.1]])
    prediction = np.array([[1.0, 0.8, 0.6], [1.0, 0.3, 0.1]])
    plots.autocorrelations(lags, correlation, ranks=(2, 30), prediction=prediction, ax=ax)
    zero, *measured, first, second = ax.get_lines()
    assert list(zero.get_ydata()) == [0, 0]
    for line, row in zip([*measured, first, second], [*correlation, *prediction], strict=True):
        np.testing.assert_array_equal(line.get_ydata(), row)
        np.testing.assert_array_equal(line.get_xdata(), lags)
    assert {line.get_linestyle() for line in measured} == {"-"}
    assert first.get_linestyle() == second.get_linestyle() == "--"
    # the largest is solid, smaller ones are paler
    assert to_hex(measured[0].get_color()) == plots.COLORS["symmetric"].lower()
    light = [relative_luminance(line.get_color()) for line in measured]
    assert light[0] < light[1] < 0.6
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["PC 2", "PC 30", "prediction"]
    assert "(s)" in ax.get_xlabel()
    bare = plots.autocorrelations(lags, correlation, ranks=(2, 30), kind="ca1", legend=False)
    assert bare.get_legend() is None and len(bare.get_lines()) == 3
    assert to_hex(bare.get_lines()[1].get_color()) == plots.COLORS["ca1"].lower()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correlation": [[1.0, 0.5]]}, r"^correlation has shape \(1, 2\): pass one row for each"),
        ({"correlation": "abc"}, "^correlation has dtype"),
        ({"prediction": [[1.0], [1.0]]}, r"^prediction has shape \(2, 1\)"),
        ({"lags": [0.0, np.nan]}, "^lags holds 1 NaN"),
        ({"kind": "blue"}, "^kind is 'blue'"),
    ],
)
def test_autocorrelations_refuse_bad_input(changes, message):
    good = {"lags": [0.0, 0.1], "correlation": np.ones((2, 2)), "ranks": (1, 2)}
    with pytest.raises((ValueError, TypeError), match=message):
        plots.autocorrelations(**good | changes)


def test_spread_is_the_mean_and_one_standard_deviation(ax):
    samples = [[0.9, 0.5, 0.2], [0.7, 0.3, 0.2]]
    plots.spread([0.1, 0.2, 0.4], samples, kind="echo-state", style=":", label="five", ax=ax)
    (line,), (band,) = ax.get_lines(), ax.collections
    np.testing.assert_allclose(line.get_ydata(), [0.8, 0.4, 0.2])
    assert to_hex(line.get_color()) == plots.COLORS["echo-state"].lower()
    assert line.get_linestyle() == ":" and line.get_label() == "five"
    corners = band.get_paths()[0].vertices
    sd = 0.1 * np.sqrt(2)
    assert corners[:, 1].max() == pytest.approx(0.8 + sd)
    at_end = corners[corners[:, 0] == 0.4, 1]  # equal samples: no width
    np.testing.assert_allclose(at_end, 0.2)
    alone = plots.spread([0.1, 0.2], [[0.9, 0.5]])
    assert len(alone.get_lines()) == 1 and not alone.collections
    with pytest.raises(ValueError, match=r"^samples has shape \(1, 2\): .* each of 3 values"):
        plots.spread([1, 2, 3], [[0.9, 0.5]])
    with pytest.raises(ValueError, match="^kind is 'blue'"):
        plots.spread([1, 2], [[0.9, 0.5]], kind="blue")
