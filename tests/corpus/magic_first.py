%matplotlib inline
# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
# %%
plt.plot([1, 3, 2])
# %%
%config InlineBackend.close_figures = False
figure = plt.figure()
# %%
plt.get_fignums()
