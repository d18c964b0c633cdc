"""Figures that the chapters share, with one colour per idea through the whole book.

Every function draws into `ax` (a new figure by default) and returns it.
"""

import matplotlib.pyplot as plt
import numpy as np

from critlib import _checks

# Okabe & Ito's palette, which colour-blind readers can tell apart
COLORS = {
    "symmetric": "#0072B2",
    "non-symmetric": "#D55E00",
    "echo-state": "#CC79A7",
    "cortex": "#56B4E9",
    "ca1": "#009E73",
    "theory": "#000000",
    "published": "#BBBBBB",
    "data": "#555555",
}

_STYLE = {
    "figure.figsize": (7, 3.6),
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.prop_cycle": plt.cycler(
        color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
    ),
    "font.size": 10.5,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


def use_style():
    """Set matplotlib's defaults to the look of the book.

    Examples
    --------
    >>> use_style()
    >>> plt.rcParams["figure.facecolor"]
    'white'
    """
    plt.rcParams.update(_STYLE)


def shade(kind, closeness):
    """Pale to solid version of a colour: sub-critical networks are pale, critical ones solid.

    Parameters
    ----------
    kind : str
        A key of `COLORS`.
    closeness : float
        From 0 (pale) to 1 (solid).

    Returns
    -------
    tuple of float
        Red, green and blue, 0 to 1.

    Raises
    ------
    ValueError
        If `kind` is unknown or `closeness` outside [0, 1].

    Examples
    --------
    >>> shade("theory", 1.0)
    (0.0, 0.0, 0.0)
    """
    solid = np.array(plt.matplotlib.colors.to_rgb(_color(kind)))
    strength = 0.3 + 0.7 * _checks.real(closeness, "closeness", low=0, high=1)
    return tuple(float(part) for part in 1 - strength * (1 - solid))


def eigenvalues(values, *, kind="non-symmetric", boundary=None, label=None, ax=None):
    """Eigenvalues in the complex plane, with the line of instability at real part 1.

    Parameters
    ----------
    values : array_like, shape (k,)
        Real or complex eigenvalues.
    kind : str, default "non-symmetric"
        A key of `COLORS`.
    boundary : array_like of complex, optional
        A curve to draw over them, such as `ensembles.ellipse_boundary`.
    label : str, optional
        Entry in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Examples
    --------
    >>> ax = eigenvalues([0.5 + 0.2j, 0.5 - 0.2j])
    >>> plt.close(ax.figure)
    """
    values = _checks.numeric_array(values, "values", kinds="fiubc")
    ax = _axes(ax)
    ax.plot(values.real, values.imag, ".", ms=3, alpha=0.6, color=_color(kind), label=label)
    if boundary is not None:
        boundary = _checks.numeric_array(boundary, "boundary", kinds="fiubc")
        ax.plot(boundary.real, boundary.imag, "--", color=COLORS["theory"], lw=1.2, label="theory")
    ax.axvline(1, color=COLORS["data"], lw=0.8)
    ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
    return ax


def density(values, *, pdf=None, kind="symmetric", bins=60, label=None, ax=None):
    """Histogram of real eigenvalues, with a theoretical density over it.

    Parameters
    ----------
    values : array_like, shape (k,)
        Real eigenvalues.
    pdf : callable, optional
        Density to draw, such as `ensembles.semicircle_pdf`.
    kind : str, default "symmetric"
        A key of `COLORS`.
    bins : int, default 60
        Number of bins.
    label : str, optional
        Entry in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Examples
    --------
    >>> ax = density([-0.5, 0.0, 0.5], bins=3)
    >>> plt.close(ax.figure)
    """
    values = _checks.real_array(values, "values", ndim=1)
    ax = _axes(ax)
    ax.hist(values, bins=bins, density=True, color=_color(kind), alpha=0.6, label=label)
    if pdf is not None:
        x = np.linspace(min(values.min(), -1), max(values.max(), 1), 600)
        ax.plot(x, pdf(x), "--", color=COLORS["theory"], label="theory")
    ax.set(xlabel="eigenvalue", ylabel="density")
    return ax


def spectrum(variances, *, kind="symmetric", closeness=1.0, fit=None, label=None, ax=None):
    """Variances against rank with equal decades on both axes, so that an exponent is a slope.

    Parameters
    ----------
    variances : array_like, shape (k,)
        Variances from the largest down.
    kind : str, default "symmetric"
        A key of `COLORS`.
    closeness : float, default 1.0
        Pale (0) to solid (1), as in `shade`.
    fit : spectra.PowerLaw, optional
        Fit to draw, dashed, over the ranks that were fitted.
    label : str, optional
        Entry in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `kind` is unknown or `closeness` outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> ax = spectrum(np.arange(1, 100) ** -0.7)
    >>> ax.get_aspect()
    1.0
    >>> plt.close(ax.figure)
    """
    variances = _checks.real_array(variances, "variances", ndim=1)
    ax = _axes(ax)
    rank = np.arange(1, len(variances) + 1)
    ax.loglog(rank, variances, color=shade(kind, closeness), lw=2, label=label)
    if fit is not None:
        fitted = np.array(fit.ranks)
        ax.loglog(fitted, fit.predict(fitted), "--", color=COLORS["theory"], lw=1.2)
    ax.set(xlabel="rank of component", ylabel="variance")
    # the box adapts, not the data limits: those would be stretched to fractional ranks
    ax.set_aspect("equal", adjustable="box")
    return ax


def raster(X, dt, *, order=None, limit=None, ax=None):
    """Activity of many neurons in time, one neuron per row, z-scored.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity.
    dt : float
        Bin width in seconds.
    order : array_like of int, optional
        Order of the rows; for example by their weight in the first component.
    limit : float, optional
        Activity that is drawn black (and, below zero, white), in standard deviations; 2.5 unless
        given.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `X` is malformed or `dt` not positive.

    Examples
    --------
    >>> ax = raster([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]], dt=0.1)
    >>> plt.close(ax.figure)
    """
    X = _checks.activity(X)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    limit = 2.5 if limit is None else _checks.real(limit, "limit", low=0, open_low=True)
    if order is not None:
        order = _checks.numeric_array(order, "order", kinds="iu")
        if order.ndim != 1 or order.size == 0 or order.min() < 0 or order.max() >= len(X):
            raise ValueError(f"order is {order}: pass row numbers from 0 to {len(X) - 1}")
    ax = _axes(ax)
    Z = X - X.mean(axis=1, keepdims=True)
    sd = Z.std(axis=1, keepdims=True)
    Z = Z / np.where(sd > 0, sd, 1)
    if order is not None:
        Z = Z[order]
    ax.imshow(
        Z,
        aspect="auto",
        cmap="gray_r",
        vmin=-limit,
        vmax=limit,
        extent=(0, Z.shape[1] * dt, len(Z), 0),
    )
    ax.set(xlabel="time (s)", ylabel="neuron")
    return ax


def matrix(A, *, limit=None, ax=None):
    """A connectivity matrix: pushing (positive) weights red, pulling (negative) ones blue.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Connectivity.
    limit : float, optional
        Weight drawn in the strongest colour; the 99th percentile of the absolute weights unless
        given.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `A` is malformed.

    Examples
    --------
    >>> ax = matrix([[0.0, 1.0], [-1.0, 0.0]])
    >>> plt.close(ax.figure)
    """
    A = _checks.square_matrix(A)
    if limit is None:
        limit = np.percentile(np.abs(A), 99) or 1.0
    limit = _checks.real(limit, "limit", low=0, open_low=True)
    ax = _axes(ax)
    image = ax.imshow(A, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.8)
    ax.set(xlabel="from neuron", ylabel="to neuron")
    return ax


def published(low, high=None, *, label="published", ax):
    """A grey band across the axes for a value that the paper reports.

    Parameters
    ----------
    low, high : float
        Range on the y axis; without `high` a narrow band around `low`.
    label : str, default "published"
        Entry in the legend.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> _, ax = plt.subplots()
    >>> ax = published(0.69, ax=ax)
    >>> plt.close(ax.figure)
    """
    low = _checks.real(low, "low")
    low, high = (0.99 * low, 1.01 * low) if high is None else (low, _checks.real(high, "high"))
    ax.axhspan(low, high, color=COLORS["published"], alpha=0.6, lw=0, label=label, zorder=0)
    return ax


def plane(path, *, covariance=None, kind="data", label=None, ax=None):
    """A path in a plane of the state space, pale at its start and solid at its end.

    Parameters
    ----------
    path : array_like, shape (2, n_timepoints)
        Two coordinates in time.
    covariance : array_like, shape (2, 2), optional
        Draws the ellipse of two standard deviations around the origin.
    kind : str, default "data"
        A key of `COLORS`.
    label : str, optional
        Entry in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `path` is not two rows of two or more times, or `kind` is unknown.

    Examples
    --------
    >>> ax = plane([[0.0, 1.0, 2.0], [0.0, 1.0, 0.0]], covariance=[[1.0, 0.0], [0.0, 2.0]])
    >>> plt.close(ax.figure)
    """
    path = _checks.real_array(path, "path", ndim=2)
    if len(path) != 2 or path.shape[1] < 2:
        raise ValueError(
            f"path has shape {path.shape}: pass two coordinates at two or more times, shape (2, T)"
        )
    if covariance is not None:
        values, vectors = np.linalg.eigh(_checks.square_matrix(covariance, "covariance"))
        if len(values) != 2 or values[0] < 0:
            raise ValueError(
                f"covariance has eigenvalues {values}: it must have two, neither negative"
            )
    ax = _axes(ax)
    n_pieces = min(24, path.shape[1] - 1)
    ends = np.linspace(0, path.shape[1] - 1, n_pieces + 1).astype(int)
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        color = shade(kind, end / ends[-1])
        ax.plot(*path[:, start : end + 1], color=color, lw=1.2, solid_capstyle="round")
    ax.plot(*path[:, -1], "o", ms=5, color=_color(kind), label=label)
    if covariance is not None:
        angle = np.linspace(0, 2 * np.pi, 200)
        ellipse = 2 * (vectors * np.sqrt(values)) @ np.array([np.cos(angle), np.sin(angle)])
        ax.plot(*ellipse, "--", color=COLORS["theory"], lw=1.2)
    ax.set(aspect="equal")
    return ax


def gap_axis(ax, *, values=(0.9, 0.99, 0.998, 0.9999), name=r"largest eigenvalue $\lambda_{\max}$"):
    """Make an x axis of gaps, 1 - lambda_max, logarithmic, with lambda_max written at the ticks.

    Plot against the gap; the critical point is then infinitely far to the right.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes with gaps, greater than 0, on the x axis.
    values : sequence of float, default (0.9, 0.99, 0.998, 0.9999)
        Where to write lambda_max, each below 1.
    name : str
        Label of the axis.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a value is not below 1.

    Examples
    --------
    >>> _, ax = plt.subplots()
    >>> ax = gap_axis(ax)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['0.9', '0.99', '0.998', '0.9999']
    >>> plt.close(ax.figure)
    """
    values = _checks.real_array(values, "values", ndim=1)
    if values.max() >= 1:
        raise ValueError(f"values holds {values.max():g}: a stable network stays below 1")
    ax.set_xscale("log")
    ax.set_xticks(1 - values, [f"{value:g}" for value in values])
    ax.minorticks_off()
    ax.xaxis.set_inverted(True)
    ax.set_xlabel(name)
    return ax


def autocorrelations(
    lags, correlation, *, ranks, prediction=None, kind="symmetric", legend=True, ax=None
):
    """Autocorrelations of principal components, solid for the largest and paler down the ranks.

    Parameters
    ----------
    lags : array_like, shape (n_lags,)
        Seconds.
    correlation : array_like, shape (k, n_lags)
        One row per rank; nan is left out.
    ranks : sequence of int, length k
        Ranks of the rows, for the legend.
    prediction : array_like, shape (k, n_lags), optional
        Drawn dashed.
    kind : str, default "symmetric"
        A key of `COLORS`.
    legend : bool, default True
        Whether to draw a legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If shapes do not match or `kind` is unknown.

    Examples
    --------
    >>> ax = autocorrelations([0.0, 0.1], [[1.0, 0.5], [1.0, 0.2]], ranks=(1, 10))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['PC 1', 'PC 10']
    >>> plt.close(ax.figure)
    """
    lags = _checks.real_array(lags, "lags", ndim=1)
    curves = {"correlation": _checks.numeric_array(correlation, "correlation")}
    if prediction is not None:
        curves["prediction"] = _checks.numeric_array(prediction, "prediction")
    for name, values in curves.items():
        if values.shape != (len(ranks), len(lags)):
            raise ValueError(
                f"{name} has shape {values.shape}: pass one row for each of {len(ranks)} ranks "
                f"and one column for each of {len(lags)} lags"
            )
    ax = _axes(ax)
    ax.axhline(0, color=COLORS["data"], lw=0.8)
    for i, rank in enumerate(ranks):
        color = shade(kind, 1 - i / len(ranks))
        # the largest on top: small ones may be nothing but noise
        z = 3 - i / len(ranks)
        ax.plot(lags, curves["correlation"][i], color=color, lw=2, zorder=z, label=f"PC {rank}")
    if prediction is not None:
        for i, row in enumerate(curves["prediction"]):
            label = "prediction" if i == 0 else None
            ax.plot(lags, row, "--", color=COLORS["theory"], lw=1.2, zorder=4, label=label)
    ax.set(xlabel="lag (s)", ylabel="correlation")
    if legend:  # beside the axes, where it hides no curve
        ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def spread(x, samples, *, kind="data", style="-", label=None, ax=None):
    """Mean of several samples as a line, with a band of one standard deviation to either side.

    Parameters
    ----------
    x : array_like, shape (k,)
        Positions on the x axis.
    samples : array_like, shape (n_samples, k)
        One sample per row; a single row gets no band.
    kind : str, default "data"
        A key of `COLORS`.
    style : str, default "-"
        Line style of matplotlib.
    label : str, optional
        Entry in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If shapes do not match or `kind` is unknown.

    Examples
    --------
    >>> ax = spread([0.1, 1.0], [[0.9, 0.5], [0.7, 0.3]])
    >>> ax.get_lines()[0].get_ydata()
    array([0.8, 0.4])
    >>> plt.close(ax.figure)
    """
    x = _checks.real_array(x, "x", ndim=1)
    samples = _checks.real_array(samples, "samples", ndim=2)
    if samples.shape[1] != len(x):
        raise ValueError(
            f"samples has shape {samples.shape}: pass one column for each of {len(x)} values of x"
        )
    ax = _axes(ax)
    mean = samples.mean(axis=0)
    ax.plot(x, mean, style, color=_color(kind), lw=2, label=label)
    if len(samples) > 1:
        sd = samples.std(axis=0, ddof=1)
        ax.fill_between(x, mean - sd, mean + sd, color=COLORS[kind], alpha=0.25, lw=0)
    return ax


def multipliers(
    values, *, kind="non-symmetric", floor=None, marker=".", label=None, legend=True, ax=None
):
    """Eigenvalues of a map over one lag, inside the unit circle.

    Parameters
    ----------
    values : array_like, shape (k,)
        Real or complex eigenvalues; more than 100 are drawn as smaller, transparent dots.
    kind : str, default "non-symmetric"
        A key of `COLORS`.
    floor : float, optional
        Modulus below which eigenvalues say little; the disk is drawn grey, with its edge on top.
    marker : str, default "."
        A marker of matplotlib; those but "." are drawn hollow.
    label : str, optional
        Entry in the legend.
    legend : bool, default True
        Whether to draw a legend if there is a label.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `kind` is unknown or `floor` outside [0, 1].

    Examples
    --------
    >>> ax = multipliers([0.5 + 0.2j, 0.5 - 0.2j], floor=0.25)
    >>> plt.close(ax.figure)
    """
    values = _checks.numeric_array(values, "values", kinds="fiubc")
    color = _color(kind)
    ax = _axes(ax)
    turn = np.linspace(0, 2 * np.pi, 200)
    if floor is not None:
        floor = _checks.real(floor, "floor", low=0, high=1)
        x, y = floor * np.cos(turn), floor * np.sin(turn)
        ax.fill(x, y, color=COLORS["published"], alpha=0.5, lw=0)
        ax.plot(x, y, color=COLORS["theory"], lw=1, zorder=3)  # on top: a cloud hides the disk
    ax.plot(np.cos(turn), np.sin(turn), color=COLORS["data"], lw=0.8)
    face = color if marker == "." else "none"
    size, alpha = (6, 1) if len(values) <= 100 else (4, 0.6)
    ax.plot(
        values.real, values.imag, marker, ms=size, mfc=face, color=color, alpha=alpha, label=label
    )
    limits = (-1.08, 1.08)
    ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal", xlim=limits, ylim=limits)
    if legend and label is not None:
        ax.legend(loc="lower left", fontsize="small")
    return ax


def _axes(ax):
    if ax is not None:
        return ax
    return plt.subplots()[1]


def _color(kind):
    return COLORS[_checks.one_of(kind, "kind", tuple(COLORS))]
