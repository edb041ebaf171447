"""Training: a simulated microscope with a hidden truth, and afterwards what was missed."""
