"""Run a project of Jupyter notebooks headlessly and leave an audit trail."""
