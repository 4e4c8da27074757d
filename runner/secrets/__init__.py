"""What is hidden wherever something is written."""

from .mask import MASK, Mask, MaskedStream, looks_secret

__all__ = ["MASK", "Mask", "MaskedStream", "looks_secret"]
