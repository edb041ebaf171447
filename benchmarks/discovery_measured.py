"""Discovery in measured images with the default settings: `python -m benchmarks.discovery_measured FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

from dkl_core.datasets import load_recorded
from dkl_core.discovery import Discovery, DiscoverySettings, judged
from dkl_core.discovery.figures import overview_figure
from dkl_core.report import save_figure

RESULTS = Path(__file__).parent / "results"
FILES = ("pfm_PZT_final0001_128", "pfm_PTO_Funakubo0006_128", "stem_fesi_dpc128", "stm_fese_didv224")


def main() -> None:
    """Run on each image, print what was found, and draw `results/discovery_measured.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where the .npz archives of measured images are")
    parser.add_argument("--workflow", default="fft-pca")
    given = parser.parse_args()
    found = []
    for name in FILES:
        data = load_recorded(Path(given.folder) / f"{name}.npz", raw=False, need_target=False)
        discovery = Discovery.begin(data.survey, DiscoverySettings(given.workflow))
        *_, last = discovery.steps()
        result = judged(discovery, last, discovery.target.everywhere(discovery.patches))
        print(
            f"{name}: component {discovery.target.choice.component}, feature {result.feature:.1%} of the sites, "
            f"{result.found:.1%} of it found, SSIM {result.similarity:.2f}, {last.seconds:.0f} s",
            *discovery.notices,
            sep="\n  ",
            flush=True,
        )
        found.append((name, discovery, last))
    RESULTS.mkdir(exist_ok=True)
    print(save_figure(overview_figure(found), RESULTS / "discovery_measured.png", dpi=80))


if __name__ == "__main__":
    main()
