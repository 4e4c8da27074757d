import random
import numpy as np
from sklearn.linear_model import SGDRegressor
# %%
random.seed(3)
random.random()
# %%
np.random.seed(3)
np.random.rand(3)
# %%
np.random.default_rng(3).normal(size=3)
# %%
x = np.random.default_rng(0).normal(size=(50, 2))
SGDRegressor(random_state=0).fit(x, x @ [1, 2]).coef_.round(6)
