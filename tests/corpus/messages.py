import logging, sys, warnings
import pandas as pd
# %%
logging.warning('to the root')
logging.getLogger('mine').info('seen')
# %%
logging.getLogger().handlers, logging.getLogger().level, sorted(vars(logging.lastResort))
# %%
warnings.warn('old', DeprecationWarning)
# %%
warnings.warn('look', UserWarning)
# %%
def old():
    warnings.warn('not shown twice', UserWarning, stacklevel=2)


for _ in range(3):
    old()
# %%
print('out')
print('err', file=sys.stderr)
# %%
import os
_ = os.write(1, b'past the streams')
# %%
from IPython.display import HTML, Markdown, clear_output, display
# %%
handle = display(HTML('<b>1</b>'), display_id='one')
handle.update(HTML('<b>2</b>'))
# %%
print('gone')
clear_output()
print('kept')
# %%
display(Markdown('# text'), {'a': 1})
3
# %%
from ipywidgets import IntSlider
IntSlider().value
# %%
import traceback
try:
    1 / 0
except ZeroDivisionError:
    print(traceback.format_exc().splitlines()[-1])
# %%
logging.basicConfig(format='%(message)s', force=True)
logging.error('configured')
# %%
try:
    input()
except Exception as error:
    print(type(error).__name__)
