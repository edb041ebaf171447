"""What the tests of the diffraction scalarizers share."""

from pathlib import Path

import pytest

from tests.scalarizers.patterns import Graphene


@pytest.fixture(scope="session")
def graphene_set(shared_data: Path) -> Graphene:
    return Graphene(shared_data)
