"""Rows as tables in Jupyter and IPython: the extension `%load_ext data_bridge.postgres.notebook`."""

from data_bridge.postgres.notebook.formatters import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
