"""The messages that a kernel of ours knows beside Jupyter's own; it loads this file, too."""

# The last one of a kernel, after all that the notebook may still have printed.
OVER = "runner_over"
# What the notebook has put into its environment.
VARIABLE = "runner_variable"
# A record of `logging`, and whether Jupyter would show its text.
RECORD = "runner_record"
# To the kernel: what its environment has for this stage.
ENVIRONMENT = "runner_environment"
