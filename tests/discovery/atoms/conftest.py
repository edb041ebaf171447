from __future__ import annotations

import pytest

from tests.discovery.atoms.pictures import Picture, simulated


@pytest.fixture(scope="session")
def graphene() -> Picture:
    """One layer with silicon and a hole, 6 electrons at a carbon atom's peak."""
    return simulated("graphene_si", 200, 5, 1.2e4)


@pytest.fixture(scope="session")
def bilayer() -> Picture:
    """Two twisted layers with silicon and a hole, 6 electrons at a carbon atom's peak."""
    return simulated("twisted_bilayer", 200, 6, 1.2e4)
