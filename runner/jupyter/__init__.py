"""From Jupyter to the runner, and back; its modules are imported where they are used."""
