"""A simulated 4D-STEM for Nion Swift: a microscope with scan and camera, listed like hardware once it is switched on.

Swift imports this package when it starts, so nothing heavy may be imported here.
"""


def run() -> None:
    """Called by Swift when it loads the extension: adds the menu item, and the microscope if it is switched on."""
    from nionswift_plugin.dkl_simulator import registration

    registration.run()


def stop() -> None:
    """Called when the extension is unloaded."""
    from nionswift_plugin.dkl_simulator import registration

    registration.stop()
