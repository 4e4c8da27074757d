import helper
import pandas as pd
# %%
helper.table(), helper.__file__.endswith('notebooks/helper.py')
# %%
%run script.py 3
# %%
from helper import table
table() is not helper.table()
# %%
import importlib
importlib.reload(helper).__name__
