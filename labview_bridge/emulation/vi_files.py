"""The files of the published VI, as it writes them: names, header rows, number formats, open handles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from dkl_core.survey import FloatArray

HEADER = ("X_pixel", "Y_pixel)", "Scalar", "Index", "X,Y (nm)")
BIAS_SETPOINT = "Bias (V)\t-1.5\tSetpoint (A)\t1E-10"
END = "\r\n"


@dataclass(frozen=True)
class NumberFormat:
    """How LabVIEW turns numbers into text.

    Attributes:
        letter: `F` as 12.500000, `E` as 1.250000E+1.
        digits: behind the decimal sign.
        decimal_comma: whether the system's decimal sign is a comma, as on a German or French Windows.
    """

    letter: Literal["F", "E"] = "F"
    digits: int = 6
    decimal_comma: bool = False

    def text(self, value: float) -> str:
        """One number."""
        written = self._written(float(value))
        return written.replace(".", ",") if self.decimal_comma else written

    def row(self, values: Iterable[float]) -> str:
        """One line of a delimited spreadsheet."""
        return "\t".join(self.text(value) for value in values) + END

    def table(self, rows: FloatArray) -> str:
        """Many lines at once (n, columns)."""
        if self.letter != "F" or not np.isfinite(rows).all():
            return "".join(self.row(line) for line in rows)
        line = "\t".join([f"%.{self.digits}f"] * rows.shape[1]) + END
        written = (line * len(rows)) % tuple(rows.ravel().tolist())
        return written.replace(".", ",") if self.decimal_comma else written

    def _written(self, value: float) -> str:
        if np.isnan(value):
            return "NaN"
        if np.isinf(value):
            return "Inf" if value > 0 else "-Inf"
        if self.letter == "F":
            return f"{value:.{self.digits}f}"
        mantissa, exponent = f"{value:.{self.digits}E}".split("E")
        return f"{mantissa}E{int(exponent):+d}"


class VIFiles:
    """The three files of one run.

    The scan and the compilation file are replaced when the VI starts and their handles are never closed while it runs.

    Args:
        folder: the VI's base folder.
        name: name of the experiment.
        numbers: how numbers are written.
    """

    def __init__(self, folder: Path, name: str, numbers: NumberFormat) -> None:
        self.scan = folder / f"{name}_scan.txt"
        self.compilation = folder / f"{name}__compilation.txt"
        self.spectroscopy_name = f"{name}_spectroscopy.txt"
        self._numbers = numbers
        self._held: list[IO[bytes]] = [path.open("wb") for path in (self.scan, self.compilation)]

    def close(self) -> None:
        """Let go of the files, as LabVIEW does when the VI leaves its memory."""
        for handle in self._held:
            handle.close()

    def write_scan(self, heights_nm: FloatArray, width_nm: float, first_row: Literal["top", "bottom"]) -> None:
        """The topograph (rows, columns), row 0 at the top, as x, y, z in nm under two header lines."""
        rows, cols = heights_nm.shape
        from_bottom = np.arange(rows)[::-1, None].repeat(cols, axis=1)
        across = np.arange(cols)[None].repeat(rows, axis=0)
        table = np.stack([across * width_nm / cols, from_bottom * width_nm / cols, heights_nm], axis=-1)
        lines = (table if first_row == "top" else table[::-1]).reshape(-1, 3)
        text = f"{BIAS_SETPOINT}{END}X (nm)\tY (nm)\tZ (nm){END}"
        with self.scan.open("wb") as file:
            file.write(text.encode("ascii"))
            file.write(self._numbers.table(lines).encode("ascii"))

    def write_row(self, row: Sequence[float], *, first: bool) -> None:
        """A row of the compilation file; the first comes with the header and makes the file anew."""
        text = self._numbers.row(row)
        with self.compilation.open("wb" if first else "ab") as file:
            file.write((("\t".join(HEADER) + END if first else "") + text).encode("ascii"))
