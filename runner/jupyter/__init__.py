"""From Jupyter and back: projects and stages that begin, and notebooks that exist."""
