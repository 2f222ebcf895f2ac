"""A flight recorder and leak detector for running Go servers."""

__version__ = "0.1.0"
