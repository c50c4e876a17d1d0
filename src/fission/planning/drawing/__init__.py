"""Drawings of plans as SVG text. Pure."""
