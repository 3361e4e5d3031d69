"""Torch modules that several architectures are made of."""
