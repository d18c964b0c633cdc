"""Command line: ``python -m critlib report FILE`` and ``python -m critlib spectrum FILE``."""

import argparse
import os
import sys
from pathlib import Path

from critlib import recordings, spectra


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process unless given.

    Returns
    -------
    int
        Exit status: 0, or 2 if the input is at fault.
    """
    parser = argparse.ArgumentParser(prog="python -m critlib", description="Tools for recordings.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, out in (
        (
            "report",
            "one HTML page: spectrum, timescales and rotations beside simulations",
            "page to write (default: FILE's name with _report.html)",
        ),
        (
            "spectrum",
            "exponent of the principal-component spectrum, beside its shuffle control",
            "figure to write (default: FILE's name with _spectrum.png)",
        ),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument(
            "file", help="recording: .npz, .npy, .nwb or a Suite2p folder (see load_recording)"
        )
        command.add_argument("--dt", type=float, help="bin width in seconds")
        command.add_argument(
            "--um-per-pixel", type=float, help="size of a pixel, for positions from Suite2p"
        )
        command.add_argument("--series", help="which series to read, if an .nwb file has several")
        command.add_argument("--out", help=out)
    options = parser.parse_args(argv)
    try:
        _report(options) if options.command == "report" else _spectrum(options)
    except (OSError, ValueError, TypeError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"critlib: {message}", file=sys.stderr)
        return 2
    return 0


def _load(options, ending, endings):
    """Read the recording and say where the result goes."""
    out = Path(options.out or f"{Path(options.file).stem}{ending}")
    if out.suffix.lower() not in endings:
        raise ValueError(f"--out is {out}: name a {' or '.join(endings)} file")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--out is {out}: its folder does not exist")
    recording = recordings.load_recording(
        options.file, dt=options.dt, um_per_pixel=options.um_per_pixel, series=options.series
    )
    return recording, out


def _report(options):
    recording, out = _load(options, "_report.html", (".html", ".htm"))
    from critlib import report  # only now: messages about input should not wait for matplotlib

    found = report.make_report(recording)
    report.write_html(found, out)
    fit = found.whole
    print(
        f"{found.name}: {found.n_neurons} neurons, {found.n_bins} bins of {found.dt:g} s"
        + (f" ({found.n_constant} constant neurons left out)" if found.n_constant else "")
    )
    print(
        f"exponent, ranks {fit.ranks[0]}-{fit.ranks[1]}: {fit.exponent:.3f} "
        f"+- {found.whole_error:.3f}; shuffled in time {found.shuffled_exponent:.3f}"
    )
    for finding in report.verdict(found):
        print(f"{finding.question} {finding.answer}")
    print(f"page: {out}")


def _spectrum(options):
    recording, out = _load(options, "_spectrum.png", (".png", ".svg", ".pdf"))
    X = recording.activity
    silent = X.max(axis=1) == X.min(axis=1)  # cannot be z-scored
    X = X[~silent]
    if len(X) < 22 or X.shape[1] < 23:
        raise ValueError(
            f"{options.file}: has {len(X)} neurons that vary and {X.shape[1]} bins; a fit needs at "
            "least 22 and 23"
        )
    print(
        f"{recording.name}: {len(X)} neurons, {X.shape[1]} bins of {recording.dt:g} s"
        + (f" ({silent.sum()} constant neurons left out)" if silent.any() else "")
    )
    print("decomposing the recording and its shuffle ...", file=sys.stderr, flush=True)
    variances = spectra.covariance_spectrum(X)
    shuffled = spectra.covariance_spectrum(spectra.shuffle_in_time(X, rng=0))
    ranks = spectra.default_ranks(len(variances))
    fit = spectra.fit_power_law(variances, ranks=ranks)
    control = spectra.fit_power_law(shuffled, ranks=ranks)
    print(f"exponent, ranks {ranks[0]}-{ranks[1]}: {fit.exponent:.3f}")
    print(f"exponent, shuffled in time: {control.exponent:.3f}")
    print(f"components for half of the variance: {spectra.n_dimensions(variances)}")
    print(f"the same, shuffled in time: {spectra.n_dimensions(shuffled)}")

    import matplotlib  # only now: messages about input should not wait for it

    matplotlib.use("Agg")
    from critlib import plots

    plots.use_style()
    ax = plots.spectrum(
        variances, kind="data", fit=fit, label=f"recording, exponent {fit.exponent:.2f}"
    )
    plots.spectrum(
        shuffled,
        kind="data",
        closeness=0.2,
        fit=control,
        label=f"shuffled in time, exponent {control.exponent:.2f}",
        ax=ax,
    )
    ax.set_title(f"{recording.name}: {len(X)} neurons, {X.shape[1]} bins of {recording.dt:g} s")
    ax.legend()
    partial = out.with_name(f".{out.name}.partial{out.suffix}")  # nothing half-written is left
    try:
        ax.figure.savefig(partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    print(f"figure: {out}")


if __name__ == "__main__":
    sys.exit(main())
