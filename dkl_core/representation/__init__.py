"""Representations learned from windows without a single measurement."""
