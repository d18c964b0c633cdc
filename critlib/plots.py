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
    ax = _axes(ax)
    values = np.asarray(values)
    ax.plot(values.real, values.imag, ".", ms=3, alpha=0.6, color=_color(kind), label=label)
    if boundary is not None:
        boundary = np.asarray(boundary)
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
    ax = _axes(ax)
    values = np.asarray(values)
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
    ax = _axes(ax)
    variances = np.asarray(variances)
    rank = np.arange(1, len(variances) + 1)
    ax.loglog(rank, variances, color=shade(kind, closeness), lw=2, label=label)
    if fit is not None:
        fitted = np.array(fit.ranks)
        ax.loglog(fitted, fit.predict(fitted), "--", color=COLORS["theory"], lw=1.2)
    ax.set(xlabel="rank of component", ylabel="variance")
    ax.set_aspect("equal", adjustable="datalim")
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
    ax = _axes(ax)
    Z = X - X.mean(axis=1, keepdims=True)
    sd = Z.std(axis=1, keepdims=True)
    Z = Z / np.where(sd > 0, sd, 1)
    if order is not None:
        Z = Z[np.asarray(order)]
    limit = 2.5 if limit is None else limit
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
    ax = _axes(ax)
    if limit is None:
        limit = np.percentile(np.abs(A), 99) or 1.0
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
    if high is None:
        low, high = 0.99 * low, 1.01 * low
    ax.axhspan(low, high, color=COLORS["published"], alpha=0.6, lw=0, label=label, zorder=0)
    return ax


def _axes(ax):
    if ax is not None:
        return ax
    return plt.subplots()[1]


def _color(kind):
    return COLORS[_checks.one_of(kind, "kind", tuple(COLORS))]
