"""From plans to a safe stream of targets: envelope, interpolation, watchdogs, arms. Knows nothing of models."""
