"""Recorded data as the microscope: to learn, and to compare settings without a sample."""
