"""Benchmarks: our own speed and that of the peers, on one problem made in code."""
