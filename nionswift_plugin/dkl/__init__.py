"""DKL for Nion Swift: automated 4D-STEM by deep-kernel learning.

Swift imports this package when it starts, so nothing heavy may be imported here.
"""


def run() -> None:
    """Called by Swift when it loads the extension: registers the panel."""
    from nionswift_plugin.dkl.panel import panel

    panel.run()


def stop() -> None:
    """Called when the extension is unloaded."""
    from nionswift_plugin.dkl.panel import panel

    panel.stop()
