"""LabVIEW without LabVIEW: its Python Node, the published VI round it, faults, and a demonstration."""
