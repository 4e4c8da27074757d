import re
import numpy as np
# %%
%%capture kept
print('captured')
np.arange(3)
# %%
kept.stdout, len(kept.outputs)
# %%
found = %timeit -n 2 -r 2 -q -o np.arange(10)
found.loops, found.repeat
# %%
%%time
x = 1
# %%
%%bash
echo from bash
# %%
%%writefile /dev/null
nothing
# %%
%env HOME_OF_NOBODY=1
print(len(get_ipython().getoutput('echo $HOME_OF_NOBODY')))
# %%
%load_ext autoreload
%autoreload 2
# %%
%who_ls int
# %%
%lsmagic
# %%
get_ipython().__class__.__name__, sorted(get_ipython().config), get_ipython().history_manager.enabled
# %%
get_ipython().kernel.__class__.__name__, get_ipython().profile, get_ipython().parent is not None
# %%
get_ipython().events.callbacks['pre_run_cell'], get_ipython().execution_count
# %%
_, In[-1][:3], len(Out)
# %%
len?
# %%
%precision 3
print(get_ipython().display_formatter.formatters['text/plain'].float_format)
# %%
%xmode minimal
import traceback
get_ipython().InteractiveTB.mode
