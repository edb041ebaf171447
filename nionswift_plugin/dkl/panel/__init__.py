"""The panel in Nion Swift: what the microscopist sets, starts and watches."""
