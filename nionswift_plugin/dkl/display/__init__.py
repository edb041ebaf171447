"""What an experiment shows in Swift: live data items, graphics on them, results that stay, and a workspace."""

from nionswift_plugin.dkl.display.listeners import together
from nionswift_plugin.dkl.display.live import ExperimentDisplay
from nionswift_plugin.dkl.display.words import Property, property_of

__all__ = ["ExperimentDisplay", "Property", "property_of", "together"]
