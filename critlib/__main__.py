"""Command line: ``python -m critlib spectrum FILE [--dt S] [--out PNG]``."""

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
    command = commands.add_parser(
        "spectrum",
        help="exponent of the principal-component spectrum, beside its shuffle control",
    )
    command.add_argument("file", help="recording, .npz (see critlib.recordings.load_recording)")
    command.add_argument("--dt", type=float, help="bin width in seconds")
    command.add_argument("--out", help="figure to write (default: FILE's name with _spectrum.png)")
    options = parser.parse_args(argv)
    try:
        _spectrum(options)
    except (OSError, ValueError, TypeError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"critlib: {message}", file=sys.stderr)
        return 2
    return 0


def _spectrum(options):
    out = Path(options.out or f"{Path(options.file).stem}_spectrum.png")
    if out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--out is {out}: name a .png, .svg or .pdf file")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--out is {out}: its folder does not exist")
    recording = recordings.load_recording(options.file, dt=options.dt)
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
