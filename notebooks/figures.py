"""How the pictures of the report look, and a polynomial written as a formula."""

import matplotlib.pyplot as plt
import numpy as np
from numpy.polynomial import Polynomial


def set_style() -> None:
    """Draw with larger letters, a light grid, and no frame above and to the right."""
    plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3, "figure.dpi": 100})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})


def formula(curve: Polynomial) -> str:
    """Write H(x) for matplotlib, each weight with four digits."""
    weights = [
        np.format_float_positional(weight, precision=4, fractional=False, trim="-", sign=True)
        for weight in curve.coef.astype(float)
    ]
    terms = " ".join(f"{text} x^{{{power}}}" for power, text in enumerate(weights))
    terms = terms.replace(" x^{0}", "").replace("x^{1}", "x")
    return f"$H(x) = {terms.removeprefix('+')}$"
