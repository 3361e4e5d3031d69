"""The only room that knows messages: conversions, QoS, parameters, diagnostics, and how a node runs."""
