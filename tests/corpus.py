"""Notebooks that look at everything in which a forked kernel could differ from a fresh one.

What must differ from kernel to kernel (numbers of processes, names of temporary folders,
times) is left out or made neutral by the cells themselves, so that outputs can be compared
as they are. A line `# %%` begins a cell.
"""

import re

# ruff: noqa: E501 - a cell's line is as long as it would be in a notebook

TEXTS: dict[str, str] = {
    "tables": """
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
""",
    "plots": """
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
""",
    "magic_first": """
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
""",
    "seeded": """
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
""",
    "seeded_first": """
import random

random.seed(3)
# %%
from sklearn.linear_model import SGDRegressor
# %%
random.random()
""",
    "threads": """
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
# %%
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda x: x * x, range(8))))
# %%
sorted(thread.name for thread in threading.enumerate() if thread.name != 'MainThread')[:2]
# %%
x = np.random.default_rng(0).normal(size=(400, 400))
np.allclose(np.linalg.inv(x) @ x, np.eye(400))
# %%
from threadpoolctl import threadpool_info
[(one['user_api'], one['num_threads']) for one in threadpool_info()]
# %%
found = []
worker = threading.Thread(target=lambda: found.append(np.linalg.svd(x)[1][0] > 0))
worker.start()
worker.join()
found
""",
    "processes": """
import multiprocessing, os, subprocess, sys
import numpy as np
import joblib
# %%
def square(x):
    return int(np.square(x))
# %%
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(square, range(6)))
# %%
joblib.Parallel(n_jobs=2)(joblib.delayed(square)(x) for x in range(6))
# %%
joblib.Parallel(n_jobs=2, prefer='threads')(joblib.delayed(square)(x) for x in range(3))
# %%
print(subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True, text=True, check=True).stdout)
# %%
child = os.fork()
if not child:
    os._exit(7)
os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# %%
queue = multiprocessing.get_context('fork').Queue()
process = multiprocessing.get_context('fork').Process(target=queue.put, args=(5,))
process.start()
print(queue.get(timeout=30))
process.join()
process.exitcode
# %%
multiprocessing.get_start_method(), multiprocessing.current_process().name
# %%
os.system('exit 3') >> 8
# %%
!echo from the shell; exit 0
# %%
print(len(multiprocessing.active_children()), multiprocessing.parent_process())
""",
    "process": """
import os, resource, signal, sys, threading, warnings
import pandas as pd
# %%
{name: os.environ[name].partition('kernel-')[0] for name in sorted(os.environ)
 if name not in {'PYTEST_CURRENT_TEST', 'CORPUS'} and not name.startswith('RUN_')}
# %%
print(os.getcwd() == os.environ['PWD'] + '/notebooks', sys.executable == sys.argv[0])
# %%
[os.path.basename(sys.argv[0]), *sys.argv[1:2], len(sys.argv), sys.orig_argv[0] != '']
# %%
os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid(), os.getppid() != 1
# %%
{each.name: str(signal.getsignal(each)).split(' at ')[0] for each in signal.Signals}
# %%
signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1) == -1
# %%
kinds = []
for name in os.listdir('/proc/self/fd'):
    try:
        kinds.append(os.readlink(f'/proc/self/fd/{name}').split(':')[0])
    except OSError:
        pass
sorted(kind for kind in kinds if not kind.startswith('/'))
# %%
[os.path.basename(os.readlink(f'/proc/self/fd/{n}')) for n in range(3)]
# %%
os.umask(0o22) == os.umask(0o22), os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE)
# %%
sys.flags, sys.path, sys.getrecursionlimit(), sys.gettrace(), sys.dont_write_bytecode
# %%
for kind, message, category, module, _ in warnings.filters:
    print(kind, getattr(message, 'pattern', message), category.__name__,
          getattr(module, 'pattern', module))
# %%
sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)
       - {'_runner_fitness', '_runner_forkless', '_runner_guard', '_runner_standins'})
# %%
__name__, '__file__' in globals(), sys.modules['__main__'].__dict__ is globals()
# %%
sorted(name for name in globals() if not name.startswith('_i'))
# %%
sys.stdout.isatty(), sys.stdout.encoding, type(sys.stdout).__name__, sys.stdin.isatty()
# %%
sys.stdout is sys.__stdout__, sys.__stdout__.fileno(), sys.__stderr__.fileno()
# %%
signal.signal(signal.SIGALRM, lambda *_: print('alarm'))
signal.setitimer(signal.ITIMER_REAL, 0.1)
signal.pause()
# %%
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print('interrupted')
""",
    "asynchronous": """
import asyncio
# %%
await asyncio.sleep(0.01)
print('slept')
# %%
async def double(x):
    await asyncio.sleep(0)
    return 2 * x
# %%
await asyncio.gather(*(double(x) for x in range(4)))
# %%
task = asyncio.create_task(double(21))
# %%
await task
# %%
try:
    asyncio.run(double(1))
except RuntimeError as error:
    print(error)
# %%
process = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)
(await process.communicate())[0]
""",
    "magics": """
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
""",
    "pickles": """
import copy, inspect, pickle
import pandas as pd
import joblib
# %%
class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x
# %%
pickle.loads(pickle.dumps(Point(3))) == Point(3), Point.__module__, Point.__qualname__
# %%
def twice(x):
    return 2 * x


print(inspect.getsource(twice))
# %%
joblib.hash(pd.DataFrame({'a': [1]}))
# %%
from dataclasses import dataclass

@dataclass
class Pair:
    a: int
    b: 'int' = 2
# %%
pickle.dumps(Pair(1)), copy.deepcopy(Pair(1))
""",
    "messages": """
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
""",
    "strict": """
import warnings

warnings.simplefilter("error")
# %%
try:
    warnings.warn("this")
except UserWarning as error:
    print(error)
""",
    "modules": """
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
""",
    "at_exit": """
import atexit
from pathlib import Path
import pandas as pd
# %%
_ = atexit.register(Path('../outputs/at_exit.txt').write_text, 'the end')
# %%
kept_open = open('../outputs/kept_open.txt', 'w')
_ = kept_open.write('not closed')
""",
}

CORPUS = {
    name: tuple(cell.strip() for cell in text.split("# %%\n")) for name, text in TEXTS.items()
}

FILES = {
    "notebooks/helper.py": """
import pandas as pd


def table():
    return pd.DataFrame({'a': [1]})
""",
    "notebooks/script.py": """
import sys

print('script', sys.argv[1:], __name__)
""",
}


# What no two runs have in common in what a notebook shows, as JSON, and what to read instead.
_VARIES = (
    (r"ipykernel_\d+/\d+", "ipykernel_N/N"),
    (r"(IPY_MODEL_|\"model_id\": \")[0-9a-f]{32}", r"\1N"),
    (r"0x[0-9a-f]{6,}", "0xN"),
    (r"(CPU times|Wall time)[^\"]*?\\n", "times"),
    (r"<dc:date>[^<]*", ""),
)


def without_chance(text: str) -> str:
    """Take out of outputs, written as JSON, what no two runs have in common."""
    for pattern, instead in _VARIES:
        text = re.sub(pattern, instead, text)
    return text
