"""Every error the core raises on purpose; each message names the value, what was expected and what to do."""


class DKLError(Exception):
    """Base of all errors of this package: one line that a user can act on."""


class InputError(DKLError, ValueError):
    """A value, an array or a setting cannot be used as given."""


class DataFileError(DKLError):
    """A data file cannot be read, or lacks what was asked of it."""


class RecordError(DKLError):
    """A run record cannot be written or read."""


class MeasurementError(DKLError):
    """An instrument could not take a measurement at a site; the experiment records it as failed."""


class InstrumentError(DKLError):
    """An instrument cannot go on, or was told to stop; the run ends and its record is kept."""


class ScalarizerError(DKLError):
    """A scalarizer is unknown, misused, or raised on a measurement."""
