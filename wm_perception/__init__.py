"""Perception: where frames come from, and the worker that turns the newest one into a latent."""
