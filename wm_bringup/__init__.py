"""The node graph, declared once, and the ``wm`` command line."""
