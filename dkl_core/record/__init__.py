"""The record of a run: one HDF5 file that survives a killed process and can be read, copied and continued.

The file, as any HDF5 reader shows it:

| name | content |
|---|---|
| attributes | `format`, `format_version`, `created`, `versions` (JSON), `run` (the run's own name) |
| `settings` | the configuration, JSON; NaN and infinity are written {"$float": "nan"} |
| `survey/image`, `survey/mask` | survey image (NSID, calibrated axes) and the pixels where measuring is allowed |
| `measurements/<column>` | one element per told measurement, failed ones included, scalars as last revised |
| `measurements/raw_NNN/raw` | raw data (NSID), a stack per shape and type; `raw_group` and `raw_row` point into it |
| `events/log` | every event in order, a line of JSON each |
| `events/arrays` | arrays of events other than `fit` and the raw data |
| `model/fit_<event>` | arrays of the last two fits |
| `journal` | only while the run is written, or after its writer was killed |

While a run is written, `journal` is a range of bytes reserved in the file. Events are appended to it by plain writes,
each flushed to the disk, so the HDF5 around it never changes and is valid at every instant. An event counts from the
moment its frame is whole (checksum, length, number). Putting the file in order writes it anew beside the old one, which
it replaces in one step.
"""

from dkl_core.record.contents import RunContents, read_run
from dkl_core.record.events import Event, RunHeader
from dkl_core.record.record import RunRecord
from dkl_core.record.tells import MeasurementTable

__all__ = ["Event", "MeasurementTable", "RunContents", "RunHeader", "RunRecord", "read_run"]
