"""An automated 4D-STEM experiment as a script for Nion Swift.

Swift: File → Scripts…, Add…, choose this file, Run. Everything else (microscope, camera, exposure, property) is as the
DKL panel is set; a microscope that may be real wants "I agree" to be pressed there first.
"""

import numpy as np

from nionswift_plugin.dkl.scripting import connect


def script_main(api_broker):
    """Called by Swift."""
    dkl = connect(api_broker)
    dkl.set_up(aim="strongest", sites=24, seeds=8)

    survey = dkl.survey()
    print(f"survey of {survey.shape[0]} x {survey.shape[1]} px")
    print(f"{dkl.estimate.measured} sites will take about {dkl.estimate.seconds:.0f} s")

    dkl.start(paused=True)
    # begin where the image is brightest, whatever the model thinks
    row, col = np.unravel_index(np.nanargmax(survey.values), survey.shape)
    site = dkl.tell_next(row, col)
    dkl.step()
    print(f"at ({site.row}, {site.col}): {dkl.status.last:.4g}")

    # the model decides from here on; change your mind at any time
    dkl.resume()
    dkl.set_up(sites=20)
    found = dkl.wait()

    print(f"{len(found.values)} sites in {found.seconds:.0f} s: {found.reason}")
    print(f"best {found.best_value:.4g} {found.unit} at {found.best_site}")
    surest = found.sites[np.argmin(found.std)]
    print(f"predicted at {len(found.sites)} sites; surest at ({surest[0]}, {surest[1]})")
    np.savez(found.path.with_suffix(".npz"), sites=found.sites, mean=found.mean, std=found.std)
    print(f"run file: {found.path}")
