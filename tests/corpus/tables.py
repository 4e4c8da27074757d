import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
# %%
pd.DataFrame(np.arange(120).reshape(4, 30)).rename(columns=str)
# %%
pd.DataFrame({'x': range(100)})
# %%
print(pd.get_option('display.max_columns'), pd.get_option('display.max_rows'))
# %%
pd.DataFrame({'a': ['x', 'y'], 'b': [1.5, None]}).describe(include='all')
# %%
pd.DataFrame({'a': [1, 2]}).style.highlight_max().set_uuid('x')
