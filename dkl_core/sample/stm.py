"""The simulated surface as an instrument: topograph, tip to a site, spectrum, scalar."""

from __future__ import annotations

import numpy as np

from dkl_core.errors import ScalarizerError
from dkl_core.frame import Frame
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import Sites
from dkl_core.sample.settings import SurfaceSettings
from dkl_core.sample.surface import SimulatedSurface
from dkl_core.scalarizers import NamedScalarizer, Spectrum, get_scalarizer
from dkl_core.survey import FloatArray, SurveyImage

SECONDS_PER_SPECTRUM = 2.0


class SimulatedSTM:
    """A scanning tunnelling microscope over a simulated surface.

    Args:
        settings: the surface; equal settings give equal topographs and spectra.
        scalarizer: makes the number of a spectrum; the in-gap ratio by default.
    """

    def __init__(self, settings: SurfaceSettings | None = None, scalarizer: NamedScalarizer | None = None) -> None:
        self.surface = SimulatedSurface(settings)
        self.scalarizer = scalarizer or get_scalarizer("in_gap_ratio")
        self._whole = self._image = self.surface.topograph()
        self._elapsed_s = 0.0

    def image(self) -> SurveyImage:
        """The topograph of the whole sample, scanned once; sites are counted in it from now on."""
        self.return_to(self._whole)
        return self._whole

    def survey(self, frame: Frame) -> SurveyImage:
        """Scan a frame; sites are counted in its topograph from now on.

        Raises:
            InputError: the frame leaves the sample.
        """
        self._image = self.surface.topograph(frame, self._elapsed_s)
        self._elapsed_s += frame.shape[0] * self.surface.settings.realism.line_time_s
        return self._image

    def return_to(self, image: SurveyImage) -> None:
        """Count sites in a topograph scanned before, without scanning it again."""
        self._image = image

    def measure(self, site: Site) -> Measurement:
        """A spectrum at a site, bias first, and its scalar."""
        spectrum = self.surface.spectrum_at(self._image, site.row, site.col, self._elapsed_s)
        self._elapsed_s += SECONDS_PER_SPECTRUM
        details = {"channels": ["bias", *spectrum.channel_names]}
        return Measurement(self._scalar(spectrum), spectrum.as_array(), SECONDS_PER_SPECTRUM, details=details)

    def park(self) -> None:
        """Nothing can crash here."""

    def truth(self, sites: Sites, image: SurveyImage | None = None) -> FloatArray:
        """The scalar of a perfect spectrum at every site (M,) of a topograph, NaN where there is none."""
        places = (image or self._image).to_nm(sites.positions)
        current, didv = self.surface.ideal_spectra(places)
        scalars = [self._scalar(Spectrum(self.surface.bias_v, i, g)) for i, g in zip(current, didv, strict=True)]
        return np.array([scalar.value if scalar.valid else np.nan for scalar in scalars])

    def _scalar(self, spectrum: Spectrum) -> Scalar:
        try:
            return self.scalarizer(spectrum)
        except ScalarizerError as error:
            return Scalar.invalid(str(error))
