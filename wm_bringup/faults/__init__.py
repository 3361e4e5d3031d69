"""The fault campaign: what goes wrong in a lab, done on purpose to the live simulated graph, and measured."""
