"""The figure of a run on one page: files beside the run's, and a data item."""

from __future__ import annotations

import gettext
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nionswift_plugin.dkl.display.provenance import Provenance
from nionswift_plugin.dkl.display.publish import Look, Stage, calibrated, new_item
from nionswift_plugin.dkl.display.words import looked_for, property_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_ = gettext.gettext
# On the screen; the files are finer.
SCREEN_DPI = 100


def draw_page(stage: Stage, run: Path) -> tuple[Path, str]:
    """Draw a run; not on the main thread.

    Args:
        stage: where.
        run: its file.

    Returns:
        The PNG, which has a PDF beside it, and the uuid of the data item.

    Raises:
        DKLError: the file is no run, or the figure cannot be written beside it.
    """
    from dkl_core.cli.figures import figure_data
    from dkl_core.report import RunLabels, run_figure
    from nionswift_plugin.dkl.replaying.runs import reopened

    experiment, host = reopened(run)
    shown = looked_for(experiment.settings.structure, property_of(str(host.get("target", _("value")))))
    figure = run_figure(figure_data(experiment, RunLabels(shown.name, shown.unit, run.stem)))
    path = run.with_suffix(".png")
    provenance = Provenance(run, shown, host)
    return path, keep_figure(stage, figure, path, provenance.of("figure", experiment, file=str(path)), _("figure"))


def keep_figure(stage: Stage, figure: Figure, path: Path, metadata: dict[str, Any], title: str) -> str:
    """Write a figure as PNG and PDF, and put it into the document; not on the main thread.

    Args:
        stage: where.
        figure: what.
        path: the PNG; the PDF lies beside it.
        metadata: of the data item.
        title: of the data item, after the name of the run.

    Returns:
        The uuid of the data item.

    Raises:
        InputError: it cannot be written there.
    """
    from dkl_core.report import save_figure

    assert threading.current_thread() is not threading.main_thread()
    save_figure(figure, path)
    save_figure(figure, path.with_suffix(".pdf"))
    xdata = calibrated(picture_of(figure), metadata=metadata)
    look = Look(str(metadata.get("role", "figure")), f"{title} · {Path(metadata['run']).stem}")
    return stage.main.call(lambda: str(new_item(stage, xdata, look).uuid))


def picture_of(figure: Figure) -> NDArray[np.uint8]:
    """A figure as Swift has colours, bytes (rows, columns, 3): blue, green, red."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(SCREEN_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., 2::-1])
