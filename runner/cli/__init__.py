"""Words in, exit code out: the only room that prints, and that knows argparse."""
