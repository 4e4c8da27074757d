import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
# %%
print(plt.get_backend(), plt.isinteractive(), plt.rcParams['figure.dpi'])
# %%
plt.plot([1, 3, 2]);
# %%
figure, axes = plt.subplots(layout='constrained')
axes.bar(['a', 'b'], [1, 2])
plt.show()
# %%
figure
# %%
plt.style.use('ggplot')
plt.plot([1, 2])
# %%
with plt.style.context('dark_background'):
    plt.hist([1, 2, 2, 3])
    plt.show()
# %%
%config InlineBackend.figure_format = 'svg'
# %%
plt.rcParams['svg.hashsalt'] = 'x'
plt.plot([2, 1])
plt.show()
# %%
%matplotlib agg
plt.plot([1])
plt.savefig('/dev/null', format='png')
plt.get_backend()
# %%
len(plt.get_fignums())
