"""Distribution metadata of DKL microscopy; pyproject.toml holds only the build system and tool settings."""

import re
from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The version, read as text so that building needs none of the package's dependencies."""
    source = (HERE / "dkl_core" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, flags=re.MULTILINE)
    if found is None:
        raise RuntimeError('dkl_core/__init__.py has no line of the form __version__ = "0.1.0"')
    return found.group(1)


def long_description() -> str:
    """The README, or nothing in a checkout that has none."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


setup(
    name="dkl-microscopy",
    version=version(),
    description="Deep-kernel learning that drives a microscope to where the physics is",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license_expression="GPL-3.0-or-later",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # nionswift_plugin belongs to every Swift extension at once, so it must stay a namespace package.
    packages=[
        *find_packages(include=["dkl_core", "dkl_core.*", "labview_bridge", "labview_bridge.*"]),
        *find_namespace_packages(include=["nionswift_plugin.*"], exclude=["*.__pycache__", "*.__pycache__.*"]),
    ],
    package_data={
        "": ["py.typed"],
        "dkl_core": ["**/*.npz", "**/*.json"],
        # What LabVIEW loads by its path: no package.
        "labview_bridge": ["labview/*.py"],
        "nionswift_plugin.dkl": ["manifest.json"],
        "nionswift_plugin.dkl_simulator": ["manifest.json"],
    },
    include_package_data=False,
    entry_points={
        "console_scripts": ["dkl = dkl_core.cli:main"],
        "dkl.commands": [
            "swift-demo = nionswift_plugin.dkl.commands",
            "demo-labview = labview_bridge.emulation.commands",
            "import-journal = labview_bridge.commands",
        ],
    },
    install_requires=[
        "filelock",
        "gpytorch>=1.14",
        "h5py>=3.11",
        "matplotlib",
        "nanonispy2>=1.2",
        "numpy>=2",
        "scikit-image>=0.25",
        "scikit-learn>=1.6",
        "scipy>=1.15",
        "threadpoolctl",
        "torch>=2.5",
        "tqdm",
    ],
    extras_require={
        # Older ones lack the guarantees that the acquisition relies on; the next major ones are not known.
        "swift": ["nionswift>=16.16,<17", "nionswift-instrumentation>=23.6,<24", "nionswift-tool>=5.1,<6", "nionutils"],
        "test": [
            "botorch",
            "build",
            "hypothesis",
            "mypy",
            "psutil",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "SciFiReaders",
        ],
        # Independent implementations; the tests that compare with them are skipped where they are missing.
        "validate": ["abtem>=1.0.11", "libertem>=0.16"],
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Physics",
        "Typing :: Typed",
    ],
)
