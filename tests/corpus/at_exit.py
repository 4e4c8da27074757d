import atexit
from pathlib import Path
import pandas as pd
# %%
_ = atexit.register(Path('../outputs/at_exit.txt').write_text, 'the end')
# %%
kept_open = open('../outputs/kept_open.txt', 'w')
_ = kept_open.write('not closed')
