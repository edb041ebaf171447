from __future__ import annotations

import pytest

from dkl_core.discovery.planted import Planted, planted_image
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.survey import SurveyImage


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Two inclusions in 160 x 160 pixels."""
    return planted_image(size=160, radius=24, noise=0.4, seed=4, count=2)


@pytest.fixture(scope="session")
def windows(planted: Planted) -> Patches:
    """Windows of 24 px at 35 x 35 sites, 4 px apart."""
    return make_patches(SurveyImage(planted.image), PatchSettings(24, 4))
