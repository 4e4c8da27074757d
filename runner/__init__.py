"""Run a project of Jupyter notebooks headlessly and leave an audit trail."""

__version__ = "1.0.0"
