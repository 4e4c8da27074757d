"""How a kernel is started, watched and ended."""
