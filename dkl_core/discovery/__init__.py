"""Structural discovery: what is unusual in an image, and Bayesian optimisation that visits it first.

After Creange et al., Towards automating structural discovery in scanning transmission electron microscopy,
Mach. Learn.: Sci. Technol. 3, 015024 (2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names

if TYPE_CHECKING:
    from dkl_core.discovery.discover import Discovery, judged, reconstruction, result_of
    from dkl_core.discovery.pathfinder import PathSettings, Travel
    from dkl_core.discovery.process import ProcessSettings
    from dkl_core.discovery.search import SearchSettings, SearchStep, search
    from dkl_core.discovery.settings import WORKFLOWS, DiscoverySettings
    from dkl_core.discovery.target import StructuralTarget

__all__ = [
    "WORKFLOWS",
    "Discovery",
    "DiscoverySettings",
    "PathSettings",
    "ProcessSettings",
    "SearchSettings",
    "SearchStep",
    "StructuralTarget",
    "Travel",
    "judged",
    "reconstruction",
    "result_of",
    "search",
]

__getattr__ = lazy_names(
    __name__,
    {
        "dkl_core.discovery.discover": ("Discovery", "judged", "reconstruction", "result_of"),
        "dkl_core.discovery.pathfinder": ("PathSettings", "Travel"),
        "dkl_core.discovery.process": ("ProcessSettings",),
        "dkl_core.discovery.search": ("SearchSettings", "SearchStep", "search"),
        "dkl_core.discovery.settings": ("WORKFLOWS", "DiscoverySettings"),
        "dkl_core.discovery.target": ("StructuralTarget",),
    },
)
