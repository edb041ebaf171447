"""Recorded data to replay an experiment on: NumPy archives, published runs, Nanonis scans and grids."""

from dkl_core.datasets.load import load_recorded
from dkl_core.datasets.recorded import RawData, RecordedData

__all__ = ["RawData", "RecordedData", "load_recorded"]
