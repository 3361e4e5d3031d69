"""Arm back ends, one per file, behind the port of base.py."""
