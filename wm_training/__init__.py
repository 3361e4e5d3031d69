"""Recipes, losses and training of the world model that ships here, and its way into a bundle."""
