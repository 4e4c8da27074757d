"""Pages that show what the runs left: static, without a network, safe to look at."""

from .site import Site, Standing

__all__ = ["Site", "Standing"]
