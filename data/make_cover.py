"""Make the picture on the landing page and the card for social media.

    python data/make_cover.py

Writes book/_static/cover.jpg and book/_static/card.jpg in a few seconds.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from critlib import dynamics, ensembles, normalization, plots

STATIC = Path(__file__).parent.parent / "book" / "_static"
NIGHT, LIGHT = "#0B1020", "#E8ECF4"
SECONDS, DT = 60, 0.2
PANELS = {0.5: "half way", 0.95: "closer", 0.998: "critical"}


def rasters(n=3000):
    """Activity of one network at three distances from the critical point, same noise."""
    A = ensembles.random_connectivity(n, rng=5)
    slow = np.linalg.eigh(A)[1][:, -2:]
    order = np.argsort(np.arctan2(slow[:, 0], slow[:, 1]))  # around the two slowest patterns
    for target in PANELS:
        network = dynamics.LinearNetwork(normalization.critically_normalize(A, target=target))
        X = network.simulate(SECONDS, DT, rng=2)[order]
        X = X / X.std(axis=1, keepdims=True)
        # average neighbouring rows: thousands of neurons share few pixels
        yield target, X.reshape(n // 15, 15, -1).mean(axis=1)


def draw(images, size, path, title=None):
    """One dark panel for each image."""
    fig, axes = plt.subplots(1, len(images), figsize=size, facecolor=NIGHT)
    for ax, (target, image) in zip(axes, images, strict=True):
        ax.imshow(image, aspect="auto", cmap="magma", vmin=-0.8, vmax=1.1, interpolation="bilinear")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(rf"$\lambda_{{\max}} = {target}$", color=LIGHT, fontsize=24, loc="center")
        ax.set_xlabel(f"{PANELS[target]}, {SECONDS} s", color=LIGHT, fontsize=19)
    if title:
        fig.suptitle(title, color=LIGHT, fontsize=23, y=0.99)
    fig.savefig(path, dpi=150, facecolor=NIGHT, pil_kwargs={"quality": 80})
    plt.close(fig)


def main():
    """Draw both pictures."""
    plots.use_style()
    images = list(rasters())
    draw(images, (10, 4.1), STATIC / "cover.jpg")
    draw(images, (8, 4.2), STATIC / "card.jpg", title="Large-scale neural dynamics")
    for name in ("cover.jpg", "card.jpg"):
        print(f"{STATIC / name}: {(STATIC / name).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
