"""Data, losses, training, export and closed-loop evaluation of the world model that ships here."""
