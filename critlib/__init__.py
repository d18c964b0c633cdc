"""Helper library of the course on critical neural networks.

Import the module you need, as the chapters do: ``from critlib import spectra``.
"""

__version__ = "0.1.0"
