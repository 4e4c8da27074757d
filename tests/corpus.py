"""Notebooks that look at everything in which a forked kernel could differ from a fresh one.

Each is a list of code cells. What must differ from kernel to kernel (numbers of processes,
names of temporary folders, times) is left out or made neutral by the cells themselves, so
that outputs can be compared as they are.
"""

IMPORTS = "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd"

CORPUS: dict[str, tuple[str, ...]] = {
    "tables": (
        IMPORTS,
        "pd.DataFrame(np.arange(120).reshape(4, 30)).rename(columns=str)",
        "pd.DataFrame({'x': range(100)})",
        "print(pd.get_option('display.max_columns'), pd.get_option('display.max_rows'))",
        "pd.DataFrame({'a': ['x', 'y'], 'b': [1.5, None]}).describe(include='all')",
        "pd.DataFrame({'a': [1, 2]}).style.highlight_max().set_uuid('x')",
    ),
    "plots": (
        IMPORTS,
        "print(plt.get_backend(), plt.isinteractive(), plt.rcParams['figure.dpi'])",
        "plt.plot([1, 3, 2]);",
        "figure, axes = plt.subplots(layout='constrained')\naxes.bar(['a', 'b'], [1, 2])\nplt.show()",
        "figure",
        "plt.style.use('ggplot')\nplt.plot([1, 2])",
        "with plt.style.context('dark_background'):\n    plt.hist([1, 2, 2, 3])\n    plt.show()",
        "%config InlineBackend.figure_format = 'svg'",
        "plt.rcParams['svg.hashsalt'] = 'x'\nplt.plot([2, 1])\nplt.show()",
        "%matplotlib agg\nplt.plot([1])\nplt.savefig('/dev/null', format='png')\nplt.get_backend()",
        "len(plt.get_fignums())",
    ),
    "magic_first": (
        "%matplotlib inline",
        IMPORTS,
        "plt.plot([1, 3, 2])",
        "%config InlineBackend.close_figures = False\nfigure = plt.figure()",
        "plt.get_fignums()",
    ),
    "seeded": (
        "import random\nimport numpy as np\nfrom sklearn.linear_model import SGDRegressor",
        "random.seed(3)\nrandom.random()",
        "np.random.seed(3)\nnp.random.rand(3)",
        "np.random.default_rng(3).normal(size=3)",
        "x = np.random.default_rng(0).normal(size=(50, 2))\n"
        "SGDRegressor(random_state=0).fit(x, x @ [1, 2]).coef_.round(6)",
    ),
    "threads": (
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\nimport numpy as np",
        "with ThreadPoolExecutor(4) as pool:\n    print(list(pool.map(lambda x: x * x, range(8))))",
        "sorted(thread.name for thread in threading.enumerate() if thread.name != 'MainThread')[:2]",
        "x = np.random.default_rng(0).normal(size=(400, 400))\n"
        "np.allclose(np.linalg.inv(x) @ x, np.eye(400))",
        "from threadpoolctl import threadpool_info\n"
        "[(one['user_api'], one['num_threads']) for one in threadpool_info()]",
        "found = []\n"
        "worker = threading.Thread(target=lambda: found.append(np.linalg.svd(x)[1][0] > 0))\n"
        "worker.start()\nworker.join()\nfound",
    ),
    "processes": (
        "import multiprocessing, os, subprocess, sys\nimport numpy as np\nimport joblib",
        "def square(x):\n    return int(np.square(x))",
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    print(pool.map(square, range(6)))",
        "joblib.Parallel(n_jobs=2)(joblib.delayed(square)(x) for x in range(6))",
        "joblib.Parallel(n_jobs=2, prefer='threads')(joblib.delayed(square)(x) for x in range(3))",
        "print(subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True,"
        " text=True, check=True).stdout)",
        "child = os.fork()\nif not child:\n    os._exit(7)\nos.waitstatus_to_exitcode(os.waitpid(child, 0)[1])",
        "queue = multiprocessing.get_context('fork').Queue()\n"
        "process = multiprocessing.get_context('fork').Process(target=queue.put, args=(5,))\n"
        "process.start()\nprint(queue.get(timeout=30))\nprocess.join()\nprocess.exitcode",
        "multiprocessing.get_start_method(), multiprocessing.current_process().name",
        "os.system('exit 3') >> 8",
        "!echo from the shell; exit 0",
        "print(len(multiprocessing.active_children()), multiprocessing.parent_process())",
    ),
    "process": (
        "import os, resource, signal, sys, threading, warnings\nimport pandas as pd",
        "{name: os.environ[name].partition('kernel-')[0] for name in sorted(os.environ)\n"
        " if name not in {'PYTEST_CURRENT_TEST', 'CORPUS'}}",
        "print(os.getcwd() == os.environ['PWD'] + '/notebooks', sys.executable == sys.argv[0])",
        "[os.path.basename(sys.argv[0]), *sys.argv[1:2], len(sys.argv), sys.orig_argv[0] != '']",
        "os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid(), os.getppid() != 1",
        "{each.name: str(signal.getsignal(each)).split(' at ')[0] for each in signal.Signals}",
        "signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1) == -1",
        "kinds = []\nfor name in os.listdir('/proc/self/fd'):\n"
        "    try:\n        kinds.append(os.readlink(f'/proc/self/fd/{name}').split(':')[0])\n"
        "    except OSError:\n        pass\n"
        "sorted(kind for kind in kinds if not kind.startswith('/'))",
        "[os.path.basename(os.readlink(f'/proc/self/fd/{n}')) for n in range(3)]",
        "os.umask(0o22) == os.umask(0o22), os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE)",
        "sys.flags, sys.path, sys.getrecursionlimit(), sys.gettrace(), sys.dont_write_bytecode",
        "for kind, message, category, module, _ in warnings.filters:\n"
        "    print(kind, getattr(message, 'pattern', message), category.__name__,\n"
        "          getattr(module, 'pattern', module))",
        "sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "       - {'_runner_guard'})",
        "__name__, '__file__' in globals(), sys.modules['__main__'].__dict__ is globals()",
        "sorted(name for name in globals() if not name.startswith('_i'))",
        "sys.stdout.isatty(), sys.stdout.encoding, type(sys.stdout).__name__, sys.stdin.isatty()",
        "sys.stdout is sys.__stdout__, sys.__stdout__.fileno(), sys.__stderr__.fileno()",
        "signal.signal(signal.SIGALRM, lambda *_: print('alarm'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.1)\nsignal.pause()",
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    signal.pause()\n"
        "except KeyboardInterrupt:\n    print('interrupted')",
    ),
    "asynchronous": (
        "import asyncio",
        "await asyncio.sleep(0.01)\nprint('slept')",
        "async def double(x):\n    await asyncio.sleep(0)\n    return 2 * x",
        "await asyncio.gather(*(double(x) for x in range(4)))",
        "task = asyncio.create_task(double(21))",
        "await task",
        "try:\n    asyncio.run(double(1))\nexcept RuntimeError as error:\n    print(error)",
        "process = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)\n"
        "(await process.communicate())[0]",
    ),
    "magics": (
        "import re\nimport numpy as np",
        "%%capture kept\nprint('captured')\nnp.arange(3)",
        "kept.stdout, len(kept.outputs)",
        "found = %timeit -n 2 -r 2 -q -o np.arange(10)\nfound.loops, found.repeat",
        "%%time\nx = 1",
        "%%bash\necho from bash",
        "%%writefile /dev/null\nnothing",
        "%env HOME_OF_NOBODY=1\nprint(len(get_ipython().getoutput('echo $HOME_OF_NOBODY')))",
        "%load_ext autoreload\n%autoreload 2",
        "%who_ls int",
        "%lsmagic",
        "get_ipython().__class__.__name__, sorted(get_ipython().config), get_ipython().history_manager.enabled",
        "get_ipython().kernel.__class__.__name__, get_ipython().profile, get_ipython().parent is not None",
        "get_ipython().events.callbacks['pre_run_cell'], get_ipython().execution_count",
        "_, In[-1][:3], len(Out)",
        "len?",
        "%precision 3\nprint(get_ipython().display_formatter.formatters['text/plain'].float_format)",
        "%xmode minimal\nimport traceback\nget_ipython().InteractiveTB.mode",
    ),
    "pickles": (
        "import copy, inspect, pickle\nimport pandas as pd\nimport joblib",
        "class Point:\n    def __init__(self, x):\n        self.x = x\n\n    def __eq__(self, other):\n"
        "        return self.x == other.x",
        "pickle.loads(pickle.dumps(Point(3))) == Point(3), Point.__module__, Point.__qualname__",
        "def twice(x):\n    return 2 * x\n\n\nprint(inspect.getsource(twice))",
        "joblib.hash(pd.DataFrame({'a': [1]}))",
        "from dataclasses import dataclass\n\n@dataclass\nclass Pair:\n    a: int\n    b: 'int' = 2",
        "pickle.dumps(Pair(1)), copy.deepcopy(Pair(1))",
    ),
    "messages": (
        "import logging, sys, warnings\nimport pandas as pd",
        "logging.warning('to the root')\nlogging.getLogger('mine').info('seen')",
        "logging.getLogger().handlers, logging.getLogger().level, sorted(vars(logging.lastResort))",
        "warnings.warn('old', DeprecationWarning)",
        "warnings.warn('look', UserWarning)",
        "def old():\n    warnings.warn('not shown twice', UserWarning, stacklevel=2)\n\n\n"
        "for _ in range(3):\n    old()",
        "print('out')\nprint('err', file=sys.stderr)",
        "import os\n_ = os.write(1, b'past the streams')",
        "from IPython.display import HTML, Markdown, clear_output, display",
        "handle = display(HTML('<b>1</b>'), display_id='one')\nhandle.update(HTML('<b>2</b>'))",
        "print('gone')\nclear_output()\nprint('kept')",
        "display(Markdown('# text'), {'a': 1})\n3",
        "from ipywidgets import IntSlider\nIntSlider().value",
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
        "    print(traceback.format_exc().splitlines()[-1])",
        "logging.basicConfig(format='%(message)s', force=True)\nlogging.error('configured')",
        "try:\n    input()\nexcept Exception as error:\n    print(type(error).__name__)",
    ),
    "modules": (
        "import helper\nimport pandas as pd",
        "helper.table(), helper.__file__.endswith('notebooks/helper.py')",
        "%run script.py 3",
        "from helper import table\ntable() is not helper.table()",
        "import importlib\nimportlib.reload(helper).__name__",
    ),
    "at_exit": (
        "import atexit\nfrom pathlib import Path\nimport pandas as pd",
        "_ = atexit.register(Path('../outputs/at_exit.txt').write_text, 'the end')",
        "kept_open = open('../outputs/kept_open.txt', 'w')\n_ = kept_open.write('not closed')",
    ),
}

FILES = {
    "notebooks/helper.py": "import pandas as pd\n\n\ndef table():\n    return pd.DataFrame({'a': [1]})\n",
    "notebooks/script.py": "import sys\n\nprint('script', sys.argv[1:], __name__)\n",
}
