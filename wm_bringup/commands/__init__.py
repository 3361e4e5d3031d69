"""One module per subcommand of ``wm``; see :mod:`wm_bringup.cli`."""
