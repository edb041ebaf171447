"""The acquisition hook: positions the probe and takes diffraction patterns on any Swift microscope."""
