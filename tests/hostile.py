"""Cells that do harm, each with what is right: how its stage ends, and what is told of it.

A line `# %%` begins a cell. Each notebook has one more cell after these, which must run, too,
where the stage succeeds.
"""

from typing import NamedTuple

# ruff: noqa: E501 - a cell's line is as long as it would be in a notebook

GOOD = "succeeded"
BAD = "failed"
DEAD = "kernel_died"
LEFT = "exited_early"
LATE = "timed_out"
# A child that goes on as a kernel may take an answer away, or a request.
EITHER = f"{GOOD} {BAD} {DEAD} {LEFT}"


class Row(NamedTuple):
    """Its state, or several; what is run; what its error and what the log must hold."""

    state: str
    text: str
    error: str = ""
    log: str = ""


EXITS = {
    "exit": Row(LEFT, "import sys\nsys.exit()"),
    "exit_0": Row(LEFT, "import sys\nsys.exit(0)"),
    "exit_1": Row(BAD, "import sys\nsys.exit(1)"),
    "exit_text": Row(BAD, "import sys\nsys.exit('no more of this')", "no more of this"),
    "exit_object": Row(BAD, "raise SystemExit([1, {2: 3}])"),
    "exit_bare": Row(LEFT, "raise SystemExit"),
    "exit_builtin": Row(LEFT, "exit()"),
    "exit_quit": Row(LEFT, "quit()"),
    "exit_word": Row(LEFT, "exit"),
    "exit_ask": Row(LEFT, "get_ipython().ask_exit()"),
    "exit_in_function": Row(LEFT, "def f():\n    raise SystemExit(0)\n\nf()"),
    "exit_caught": Row(GOOD, "try:\n    raise SystemExit(1)\nexcept SystemExit:\n    pass"),
    "exit_broken_str": Row(
        BAD,
        "class Code:\n    def __str__(self):\n        raise ValueError\n    __repr__ = __str__\n\nraise SystemExit(Code())",
    ),
    "exit_thread": Row(
        GOOD, "import sys, threading\nt = threading.Thread(target=sys.exit)\nt.start()\nt.join()"
    ),
    "os_exit_0": Row(LEFT, "import os\nos._exit(0)"),
    "os_exit_3": Row(DEAD, "import os\nos._exit(3)", "exit status 3"),
    "os_exit_thread": Row(
        DEAD,
        "import os, threading, time\nthreading.Timer(0.1, os._exit, (4,)).start()\ntime.sleep(60)",
        "exit status 4",
    ),
    "libc_exit": Row(DEAD, "import ctypes\nctypes.CDLL(None).exit(5)", "exit status 5"),
    "abort": Row(DEAD, "import os\nos.abort()", "SIGABRT"),
    "segfault": Row(DEAD, "import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "exec": Row(LEFT, "import os\nos.execvp('true', ['true'])"),
    "stack_overflow": Row(
        DEAD,
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return [*map(f, [x])]\nf(1)",
        "SIGSEGV",
    ),
}

EXCEPTIONS = {
    "recursion": Row(
        BAD, "import sys\nsys.setrecursionlimit(300)\ndef f():\n    f()\nf()", "RecursionError"
    ),
    "memory_limit": Row(
        BAD,
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))\nx = bytearray(2**35)",
        "MemoryError",
    ),
    "broken_str": Row(
        BAD,
        "class E(Exception):\n    def __str__(self):\n        raise ValueError('in str')\nraise E('x')",
        "E",
    ),
    "broken_repr": Row(
        BAD,
        "class E(Exception):\n    def __repr__(self):\n        raise ValueError('in repr')\nraise E('x')",
        "E",
    ),
    "str_is_no_text": Row(
        BAD, "class E(Exception):\n    def __str__(self):\n        return 3\nraise E('x')", "E"
    ),
    "str_exits": Row(
        LEFT,
        "import sys\nclass E(Exception):\n    def __str__(self):\n        sys.exit(0)\nraise E('x')",
    ),
    "str_recurses": Row(
        BAD,
        "class E(Exception):\n    def __str__(self):\n        return str(self)\nraise E('x')",
        "E",
    ),
    "huge_text": Row(BAD, "raise ValueError('x' * 20_000_000)", "ValueError"),
    "many_lines": Row(BAD, "raise ValueError('a line\\n' * 20_000)", "ValueError"),
    "control_text": Row(
        BAD, r"raise ValueError('a\x00b\x1b[31mred\x1b[0m\rc\x07\x85\u2028d')", "ValueError"
    ),
    "surrogate_text": Row(BAD, r"raise ValueError('a\ud800b')", "ValueError"),
    "nameless": Row(BAD, "raise type('', (Exception,), {})('no name')", "no name"),
    "named_oddly": Row(BAD, r"raise type('E\nERROR    all: done', (Exception,), {})('odd')", "odd"),
    "bare_raise": Row(BAD, "raise", "RuntimeError"),
    "raise_none": Row(BAD, "raise None", "TypeError"),
    "group": Row(BAD, "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])", "several"),
    "base_group": Row(
        BAD, "raise BaseExceptionGroup('several', [KeyboardInterrupt(), SystemExit(0)])", "several"
    ),
    "deep_group": Row(
        BAD,
        "e = ValueError('core')\nfor _ in range(500):\n    e = ExceptionGroup('g', [e])\nraise e",
        "ExceptionGroup",
    ),
    "cause_circle": Row(
        BAD,
        "a, b = ValueError('a'), ValueError('b')\na.__cause__ = b\nb.__cause__ = a\nraise a",
        "ValueError",
    ),
    "long_chain": Row(
        BAD,
        "e = None\nfor n in range(300):\n    n = ValueError(n)\n    n.__cause__ = e\n    e = n\nraise e",
        "ValueError: 299",
    ),
    "notes": Row(
        BAD, "e = ValueError('x')\ne.__notes__ = [3, object(), '\\ud800']\nraise e", "ValueError"
    ),
    "keyboard_interrupt": Row(BAD, "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "keyboard_text": Row(BAD, "raise KeyboardInterrupt('mine')", "KeyboardInterrupt"),
    "generator_exit": Row(BAD, "raise GeneratorExit", "GeneratorExit"),
    "base_exception": Row(BAD, "raise BaseException('base')", "base"),
    "stop_iteration": Row(BAD, "raise StopIteration", "StopIteration"),
    "stop_async": Row(BAD, "raise StopAsyncIteration", "StopAsyncIteration"),
    "cancelled": Row(BAD, "import asyncio\nraise asyncio.CancelledError('c')", "CancelledError"),
    "traceback_gone": Row(
        BAD, "import traceback\ntraceback.__dict__.clear()\n1 / 0", "ZeroDivisionError"
    ),
    "render_replaced": Row(
        BAD,
        "class E(Exception):\n    def _render_traceback_(self):\n        raise ValueError('in render')\nraise E('mine')",
        "E",
    ),
    "render_empty": Row(
        BAD,
        "class E(Exception):\n    def _render_traceback_(self):\n        return []\nraise E('mine')",
        "E",
    ),
    "render_no_texts": Row(
        BAD,
        "class E(Exception):\n    def _render_traceback_(self):\n        return [1, None]\nraise E('mine')",
        "E",
    ),
    "custom_handler": Row(
        BAD,
        "def quiet(*args, **kwargs):\n    return []\nget_ipython().set_custom_exc((Exception,), quiet)\n# %%\n1 / 0",
    ),
    "showtraceback_replaced": Row(
        BAD, "get_ipython().showtraceback = lambda *a, **k: None\n# %%\n1 / 0", "ZeroDivisionError"
    ),
    "xmode_minimal": Row(BAD, "%xmode Minimal\n# %%\n1 / 0", "ZeroDivisionError"),
    "assertion": Row(BAD, "assert 1 == 2", "AssertionError"),
}

STREAMS = {
    "close_0": Row(GOOD, "import os\nos.close(0)"),
    "close_1_2": Row(GOOD, "import os\nos.close(1)\nos.close(2)\nprint('on')", log="on"),
    "close_all": Row(DEAD, "import os\nos.closerange(0, 65536)"),
    "close_from_3": Row(DEAD, "import os\nos.closerange(3, 65536)"),
    "dup2_over": Row(
        GOOD,
        "import os\nn = os.open('/dev/null', os.O_RDWR)\nfor k in range(3):\n    os.dup2(n, k)\nprint('on')",
        log="on",
    ),
    "raw_writes": Row(
        GOOD,
        "import os\nfor k in (1, 2):\n    _ = os.write(k, b'raw \\xff\\x00 bytes\\n')",
        log="raw ",
    ),
    "stdout_none": Row(GOOD, "import sys\nsys.stdout = sys.stderr = None\nprint('x')"),
    "stdout_closed": Row(
        BAD,
        "import sys\nsys.stdout.close()\nprint('x')\nprint('y')\n# %%\nraise ValueError('on')",
        "on",
    ),
    "stdout_replaced": Row(GOOD, "import io, sys\nsys.stdout = io.StringIO()\nprint('x')\n1"),
    "stdout_object": Row(BAD, "import sys\nsys.stdout = object()\nprint('x')", "AttributeError"),
    "stderr_object": Row(
        BAD, "import sys\nsys.stderr = sys.stdout = object()\n1 / 0", "AttributeError"
    ),
    "stdout_deleted": Row(BAD, "import sys\ndel sys.stdout, sys.stderr\n1 / 0", "AttributeError"),
    "print_nul": Row(GOOD, r"print('a\x00b')"),
    "print_surrogate": Row(GOOD, r"print('before \ud800 after')", log="before"),
    "print_ansi": Row(GOOD, r"print('\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J')", log="red"),
    "print_long_line": Row(GOOD, "print('x' * 5_000_000)"),
    "print_many": Row(GOOD, "for n in range(5000):\n    print(n)", log="4999"),
    "print_cr": Row(GOOD, "for n in range(5000):\n    print(f'\\r{n}', end='')"),
    "print_fake_log": Row(GOOD, r"print('2026-01-31 12:00:00.000 ERROR    all: the run failed')"),
    "print_bytes": Row(GOOD, "print(b'\\xff')"),
    "logging_gone": Row(
        GOOD,
        "import logging\nlogging.shutdown()\nlogging.disable(logging.CRITICAL)\nlogging.getLogger().handlers.clear()\nlogging.error('x')",
    ),
    "logging_broken": Row(
        GOOD,
        "import logging\nlogging.warning('%d and %d', 'x')\nlogging.Logger.manager.loggerDict.clear()\nprint('on')",
        log="on",
    ),
    "logging_handler_raises": Row(
        BAD,
        "import logging\nclass H(logging.Handler):\n    def emit(self, record):\n        raise ValueError('in emit')\nlogging.getLogger().addHandler(H())\nlogging.error('x')",
        "in emit",
    ),
    "logging_factory": Row(
        DEAD,
        "import logging\nlogging.setLogRecordFactory(lambda *a, **k: None)\nlogging.error('x')",
    ),
    "warnings_errors": Row(
        BAD, "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('loud')", "loud"
    ),
    "warnings_later": Row(
        GOOD,
        "import warnings\nwarnings.simplefilter('error')\n# %%\nimport asyncio\nawait asyncio.sleep(0)\n1",
    ),
    "showwarning_broken": Row(
        BAD,
        "import warnings\ndef f(*a, **k):\n    raise ValueError('in warn')\nwarnings.showwarning = f\nwarnings.warn('x')",
        "in warn",
    ),
    "read_stdin": Row(GOOD, "import sys\nassert sys.stdin.read() == ''"),
    "input": Row(BAD, "input('name? ')", "input"),
    "getpass": Row(BAD, "import getpass\ngetpass.getpass()"),
    "breakpoint": Row(BAD, "breakpoint()"),
    "debug_magic": Row(GOOD, "%debug 1 + 1"),
    "pdb": Row(BAD, "import pdb\npdb.set_trace()"),
    "shell_read": Row(GOOD, "!read x; echo got $x"),
    "capture": Row(GOOD, "%%capture\nprint('x')\n1"),
    "capture_raises": Row(GOOD, "%%capture\n1 / 0"),
}

SIGNALS = {
    "handlers_ignored": Row(
        GOOD,
        "import signal\nfor s in range(1, 32):\n    if s not in (9, 17, 19):\n        signal.signal(s, signal.SIG_IGN)",
    ),
    "handlers_default": Row(
        GOOD,
        "import signal\nfor s in range(1, 32):\n    if s not in (9, 17, 19):\n        signal.signal(s, signal.SIG_DFL)",
    ),
    "signals_blocked": Row(
        GOOD, "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))"
    ),
    "sigint": Row(
        BAD,
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(10**6):\n    pass",
        "KeyboardInterrupt",
    ),
    "sigterm": Row(
        DEAD,
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)",
        "SIGTERM",
    ),
    "sighup": Row(
        DEAD,
        "import os, signal, time\nsignal.signal(1, signal.SIG_DFL)\nos.kill(os.getpid(), signal.SIGHUP)\ntime.sleep(60)",
        "SIGHUP",
    ),
    "sigpipe": Row(GOOD, "import os, signal\nos.kill(os.getpid(), signal.SIGPIPE)"),
    "sigquit": Row(
        DEAD,
        "import os, signal, time\nsignal.signal(3, signal.SIG_DFL)\nos.kill(os.getpid(), signal.SIGQUIT)\ntime.sleep(60)",
        "SIGQUIT",
    ),
    "sigkill": Row(DEAD, "import os\nos.kill(os.getpid(), 9)", "SIGKILL"),
    "sigusr1": Row(GOOD, "import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)"),
    "sigusr2": Row(
        DEAD,
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGUSR2)\ntime.sleep(60)",
        "SIGUSR2",
    ),
    "sigstop_cont": Row(
        GOOD,
        "import os, signal, subprocess\np = subprocess.Popen(['sh', '-c', f'sleep 0.5; kill -CONT {os.getpid()}'])\nos.kill(os.getpid(), signal.SIGSTOP)\np.wait()",
    ),
    "sigchld_ignored": Row(
        BAD, "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n!true"
    ),
    "alarm": Row(DEAD, "import signal, time\nsignal.alarm(1)\ntime.sleep(60)", "SIGALRM"),
    "alarm_raises": Row(
        BAD,
        "import signal, time\ndef f(*a):\n    raise TimeoutError('mine')\nsignal.signal(signal.SIGALRM, f)\nsignal.setitimer(signal.ITIMER_REAL, 0.2)\ntime.sleep(60)",
        "mine",
    ),
    "itimer_goes_on": Row(
        GOOD,
        "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    ),
    "handler_raises_between": Row(
        GOOD,
        "import signal\ndef f(*a):\n    raise ValueError('between cells')\nsignal.signal(signal.SIGALRM, f)\nsignal.setitimer(signal.ITIMER_REAL, 0.15)\n# %%\ntry:\n    import time\n    time.sleep(0.5)\nexcept ValueError:\n    pass",
    ),
    "interrupt_main": Row(
        BAD, "import _thread, time\n_thread.interrupt_main()\ntime.sleep(60)", "KeyboardInterrupt"
    ),
    "raise_in_thread": Row(
        LATE,
        "import ctypes, threading\nfor t in threading.enumerate():\n    if t is not threading.current_thread():\n        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(t.ident), ctypes.py_object(ValueError))",
    ),
    "timeout": Row(LATE, "import time\ntime.sleep(600)"),
    "timeout_stubborn": Row(
        LATE,
        "import time\nwhile True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass",
    ),
    "timeout_blocked": Row(
        LATE,
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(600)",
    ),
    "timeout_stopped": Row(LATE, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
}

THREADS = {
    "thread_on": Row(
        BAD,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='lasting').start()",
        "thread lasting",
    ),
    "thread_daemon": Row(
        GOOD,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    ),
    "thread_daemon_prints": Row(
        GOOD,
        "import threading, time\ndef f():\n    while True:\n        print('x' * 100)\n        time.sleep(0.01)\nthreading.Thread(target=f, daemon=True).start()",
    ),
    "thread_raises": Row(
        GOOD,
        "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
        log="ZeroDivisionError",
    ),
    "thread_hook_broken": Row(
        BAD,
        "import threading\nthreading.excepthook = None\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
    ),
    "threading_gone": Row(DEAD, "import threading\nthreading.Thread = threading._active = None"),
    "task_on": Row(
        BAD, "import asyncio\nt = asyncio.create_task(asyncio.sleep(600))", "task sleep"
    ),
    "task_raises": Row(
        GOOD,
        "import asyncio\nasync def f():\n    1 / 0\nt = asyncio.create_task(f())\nawait asyncio.sleep(0.1)",
    ),
    "task_exits": Row(
        LEFT,
        "import asyncio, sys\nasync def f():\n    sys.exit(0)\nt = asyncio.create_task(f())\nawait asyncio.sleep(0.5)",
    ),
    "task_dropped": Row(
        GOOD,
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.1)\nasyncio.create_task(f());",
    ),
    "tasks_cancelled": Row(
        BAD,
        "import asyncio\nfor t in asyncio.all_tasks():\n    t.cancel()\nawait asyncio.sleep(0.1)",
        "CancelledError",
    ),
    "await": Row(GOOD, "import asyncio\nawait asyncio.sleep(0)"),
    "asyncio_run": Row(BAD, "import asyncio\nasyncio.run(asyncio.sleep(0))", "RuntimeError"),
    "loop_closed": Row(BAD, "import asyncio\nasyncio.get_running_loop().close()", "RuntimeError"),
    "loop_stopped": Row(LEFT, "import asyncio\nasyncio.get_running_loop().stop()"),
    "loop_replaced": Row(
        GOOD,
        "import asyncio\nasyncio.set_event_loop(asyncio.new_event_loop())\nawait asyncio.sleep(0)",
    ),
    "loop_handler_raises": Row(
        GOOD,
        "import asyncio\ndef f(*a):\n    raise ValueError('in handler')\nloop = asyncio.get_running_loop()\nloop.set_exception_handler(f)\nloop.call_soon(lambda: 1 / 0)\nawait asyncio.sleep(0.1)",
    ),
    "never_awaited": Row(GOOD, "import asyncio\nasyncio.sleep(1);"),
    "async_generator_left": Row(
        GOOD,
        "import asyncio\nasync def g():\n    try:\n        yield 1\n    finally:\n        await asyncio.sleep(0)\nx = g()\nawait anext(x)",
    ),
}

PROCESSES = {
    "child_left": Row(GOOD, "import subprocess\np = subprocess.Popen(['sleep', '600'])"),
    "child_own_session": Row(
        GOOD, "import subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)"
    ),
    "child_daemon": Row(BAD, "!(setsid nohup sleep 600 >/dev/null 2>&1 &) &"),
    "child_holds_output": Row(
        BAD,
        "import subprocess\np = subprocess.Popen('trap \"\" TERM INT HUP; sleep 600', shell=True)",
        "still at work",
    ),
    "child_stopped": Row(
        GOOD, "import os, subprocess\np = subprocess.Popen(['sleep', '600'])\nos.kill(p.pid, 19)"
    ),
    "fork_ends": Row(
        GOOD, "import os\np = os.fork()\nif not p:\n    os._exit(0)\n_ = os.waitpid(p, 0)"
    ),
    "fork_sleeps": Row(
        GOOD, "import os, time\nif not os.fork():\n    time.sleep(600)\n    os._exit(0)"
    ),
    "fork_returns": Row(EITHER, "import os\np = os.fork()\nprint('both')", log="both"),
    "fork_raises": Row(EITHER, "import os\nif not os.fork():\n    1 / 0"),
    "fork_exits": Row(EITHER, "import os, sys\nif not os.fork():\n    sys.exit(0)"),
    "fork_parent_dies": Row(
        DEAD, "import os, time\nif os.fork():\n    os._exit(7)\ntime.sleep(600)", "exit status 7"
    ),
    "fork_bomb": Row(
        GOOD,
        "import os, time\ndef f(n):\n    for _ in range(3 * (n > 0)):\n        if not os.fork():\n            f(n - 1)\n            time.sleep(600)\n            os._exit(0)\nf(3)",
    ),
    "multiprocessing": Row(
        GOOD,
        "import multiprocessing as m, time\np = m.get_context('fork').Process(target=time.sleep, args=(600,), daemon=True)\np.start()",
    ),
    "setsid": Row(GOOD, "import os\nos.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None\n"),
    "own_session": Row(GOOD, "import os\ntry:\n    os.setsid()\nexcept OSError:\n    pass"),
    "pdeathsig": Row(GOOD, "import ctypes\nctypes.CDLL(None).prctl(1, 0)"),
    "pdeathsig_name": Row(
        GOOD,
        "import ctypes\nctypes.CDLL(None).prctl(15, b'a) R 1 (b')\nctypes.CDLL(None).prctl(4, 0)",
    ),
    "subreaper": Row(
        GOOD,
        "import ctypes, subprocess\nctypes.CDLL(None).prctl(36, 1)\nsubprocess.run('sleep 600 & sleep 600 &', shell=True)",
    ),
    "nice": Row(
        GOOD, "import os\nos.nice(19)\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    ),
    "guard_killed": Row(
        DEAD, "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)", "its guard was killed"
    ),
    "guard_stopped": Row(GOOD, "import os\nos.kill(os.getppid(), 19)"),
    "guard_terminated": Row(
        GOOD,
        "import os\nos.kill(os.getppid(), 15)\nos.kill(os.getppid(), 2)\nos.kill(os.getppid(), 1)",
    ),
    "guard_signalled": Row(
        DEAD, "import os\nfor s in (10, 12, 17, 18, 28):\n    os.kill(os.getppid(), s)"
    ),
    "waitpid_all": Row(
        GOOD,
        "import os\ntry:\n    while True:\n        os.waitpid(-1, 0)\nexcept ChildProcessError:\n    pass",
    ),
}

SURROUNDINGS = {
    "chdir": Row(GOOD, "import os\nos.chdir('/')"),
    "cwd_removed": Row(
        GOOD,
        "import os, tempfile\nd = tempfile.mkdtemp()\nos.chdir(d)\nos.rmdir(d)\n# %%\nprint('on')",
        log="on",
    ),
    "umask": Row(GOOD, "import os\nos.umask(0o777)"),
    "environ_cleared": Row(GOOD, "import os\nos.environ.clear()"),
    "environ_none": Row(BAD, "import os\nos.environ = None"),
    "environ_set": Row(
        GOOD,
        "import os\nos.environ.update(HOME='/nowhere', PATH='', TMPDIR='/nowhere', PYTHONPATH='/x', LANG='tlh')",
    ),
    "path_cleared": Row(
        BAD,
        "import sys\nsys.path.clear()\nsys.meta_path.clear()\n# %%\nimport decimal_no",
        "ModuleNotFoundError",
    ),
    "modules_cleared": Row(
        LATE, "import sys\nsys.modules.clear()\n# %%\nraise ValueError('on')", "the limit of a cell"
    ),
    "modules_purged": Row(
        BAD,
        "import sys\nfor n in list(sys.modules):\n    if n.split('.')[0] in ('json', 'zmq', 'ipykernel', 'IPython', 'runner', 'asyncio', 'threading', 'os'):\n        del sys.modules[n]",
    ),
    "modules_none": Row(
        GOOD,
        "import sys\nfor n in ('json', 'threading', 'traceback', 'gc', 'time'):\n    sys.modules[n] = None",
    ),
    "import_replaced": Row(
        f"{BAD} {DEAD} {LATE}",
        "import builtins\ndef f(*a, **k):\n    raise ImportError('no imports')\nbuiltins.__import__ = f\nimport json",
    ),
    "print_overwritten": Row(GOOD, "import builtins\nbuiltins.print = builtins.open = None"),
    "len_overwritten": Row(
        DEAD,
        "import builtins\nfor n in ('len', 'isinstance', 'getattr', 'str', 'list', 'dict', 'repr', 'hasattr'):\n    setattr(builtins, n, None)",
    ),
    "exception_overwritten": Row(
        BAD, "import builtins\nbuiltins.Exception = builtins.BaseException = int\n1 / 0"
    ),
    "builtins_in_namespace": Row(BAD, "__builtins__ = {}\nprint(1)"),
    "builtins_cleared": Row(DEAD, "import builtins\nbuiltins.__dict__.clear()\nprint(1)"),
    "namespace_cleared": Row(BAD, "globals().clear()"),
    "reset": Row(GOOD, "%reset -f"),
    "main_gone": Row(GOOD, "import sys\ndel sys.modules['__main__']"),
    "gc_callback": Row(
        GOOD,
        "import gc\ndef f(*a):\n    raise ValueError('in gc')\ngc.callbacks.append(f)\ngc.collect();",
    ),
    "gc_disabled": Row(GOOD, "import gc\ngc.disable()\ngc.freeze()\ngc.callbacks.clear()"),
    "settrace": Row(
        GOOD,
        "import sys, threading\ndef f(*a):\n    return f\nsys.settrace(f)\nthreading.settrace(f)",
    ),
    "setprofile_raises": Row(
        f"{GOOD} {BAD}",
        "import sys\ndef f(*a):\n    raise ValueError('in profile')\nsys.setprofile(f)",
    ),
    "recursionlimit": Row(
        BAD, "import sys\nsys.setrecursionlimit(50)\n# %%\nraise ValueError('x')"
    ),
    "excepthook": Row(
        BAD,
        "import sys\nsys.excepthook = sys.unraisablehook = None\n# %%\nclass D:\n    def __del__(self):\n        1 / 0\nD()\n1 / 0",
        "ZeroDivisionError",
    ),
    "displayhook": Row(GOOD, "import sys\nsys.displayhook = None\n# %%\n1"),
    "audit_hook": Row(GOOD, "import sys\nsys.addaudithook(lambda *a: None)"),
    "audit_hook_raises": Row(
        BAD,
        "import sys\ndef f(event, args):\n    if event == 'open':\n        raise PermissionError('no opening')\nsys.addaudithook(f)\n# %%\nopen('/dev/null')",
        "no opening",
    ),
    "atexit_raises": Row(
        GOOD, "import atexit\natexit.register(lambda: 1 / 0);", log="ZeroDivisionError"
    ),
    "atexit_hangs": Row(
        BAD, "import atexit, time\natexit.register(time.sleep, 600);", "exit handler"
    ),
    "atexit_prints": Row(
        GOOD, "import atexit\natexit.register(print, 'last words');", log="last words"
    ),
    "atexit_exits": Row(GOOD, "import atexit, sys\natexit.register(sys.exit, 3);"),
    "atexit_dies": Row(DEAD, "import atexit, os\natexit.register(os._exit, 9);", "exit status 9"),
    "atexit_cleared": Row(GOOD, "import atexit\natexit._clear()\natexit._run_exitfuncs()"),
    "atexit_closes": Row(GOOD, "import atexit, os\natexit.register(os.closerange, 0, 3);"),
    "del_at_end": Row(
        GOOD,
        "import time\nclass D:\n    def __del__(self):\n        print('x' * 10**6)\n        raise ValueError\nd = D()",
    ),
    "faulthandler": Row(
        DEAD, "import faulthandler, ctypes\nfaulthandler.disable()\nctypes.string_at(0)", "SIGSEGV"
    ),
    "limit_nofile": Row(BAD, "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"),
    "limit_fsize": Row(
        BAD,
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\nopen('/tmp/hostile-fsize', 'w').write('x' * 10**6)",
        "OSError",
    ),
    "limit_fsize_end": Row(
        GOOD, "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    ),
    "limit_cpu": Row(
        DEAD,
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True:\n    pass",
        "SIG",
    ),
    "limit_nproc": Row(GOOD, "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))"),
    "limit_stack": Row(
        GOOD, "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (4096, 4096))"
    ),
    "locale": Row(
        GOOD,
        "import locale\nlocale.setlocale(locale.LC_ALL, 'C')\nlocale.getpreferredencoding = None",
    ),
    "sleep_replaced": Row(
        DEAD, "import time\ntime.sleep = time.time = time.monotonic = time.perf_counter = None"
    ),
    "time_stands": Row(GOOD, "import time\ntime.time = time.monotonic = lambda: 0.0"),
    "os_replaced": Row(
        DEAD, "import os\nos.getpid = os.kill = os._exit = os.fsync = os.replace = os.write = None"
    ),
    "open_replaced": Row(GOOD, "import builtins, io, os\nbuiltins.open = io.open = os.open = None"),
    "webbrowser": Row(GOOD, "import webbrowser\nwebbrowser.open('file:///nowhere');"),
    "timezone": Row(GOOD, "import os, time\nos.environ['TZ'] = 'Pacific/Kiritimati'\ntime.tzset()"),
    "weak_main": Row(GOOD, "import __main__\n__main__.__dict__.pop('__name__')"),
}

MAGICS = {
    "unknown_magic": Row(BAD, "%no_such_magic", "no_such_magic"),
    "unknown_cell_magic": Row(BAD, "%%no_such_magic\n1", "no_such_magic"),
    "autoreload": Row(GOOD, "%load_ext autoreload\n%autoreload 2"),
    "extension_missing": Row(BAD, "%load_ext no_such_extension", "no_such_extension"),
    "bash_fails": Row(BAD, "%%bash\nexit 3", "CalledProcessError"),
    "bash_missing": Row(GOOD, "%%script no-such-program-here\n1"),
    "shell_false": Row(GOOD, "!false"),
    "shell_exit": Row(GOOD, "!exit 3"),
    "shell_killed": Row(GOOD, "!kill -9 $$"),
    "shell_pipe": Row(GOOD, "!false | true"),
    "cell_magic_inside": Row(BAD, "1\n%%bash\ntrue", "UsageError"),
    "return_outside": Row(BAD, "return 1", "SyntaxError"),
    "surrogate_in_code": Row(GOOD, r"x = '\ud800'"),
    "crlf_code": Row(GOOD, "x = 1\r\nif x:\r\n    x = 2\r\n"),
    "form_feed": Row(GOOD, "x = 1\n\x0c\ny = 2"),
    "long_cell": Row(GOOD, "\n".join(f"x{n} = {n}" for n in range(5_000))),
    "long_line": Row(BAD, "x = " + " + ".join(["1"] * 2_000)),
    "deep_sum": Row(BAD, "x = " + "-" * 100_000 + "1"),
    "comment_only": Row(GOOD, "#"),
    "many_errors": Row(BAD, "import ast\nast.parse('(' * 10_000)"),
    "run_missing": Row(BAD, "%run no_such_file.py"),
    "run_exits": Row(
        GOOD,
        "import pathlib, tempfile\np = pathlib.Path(tempfile.mkdtemp(), 'x.py')\np.write_text('import sys; sys.exit(3)');\n# %%\n%run $p",
    ),
    "time_magic": Row(BAD, "%%time\n1 / 0", "ZeroDivisionError"),
    "prun": Row(BAD, "%%prun\n1 / 0", "ZeroDivisionError"),
    "gui": Row(GOOD, "%gui no_such_gui"),
    "matplotlib_backend": Row(BAD, "%matplotlib no_such_backend"),
    "matplotlib_tk": Row(
        GOOD,
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()",
    ),
    "logstart": Row(GOOD, "import tempfile\nd = tempfile.mkdtemp()\n# %%\n%logstart $d/x.py"),
    "transformer": Row(
        BAD,
        "def f(lines):\n    raise SyntaxError('in transformer')\nget_ipython().input_transformers_cleanup.append(f)\n# %%\n1",
        "in transformer",
    ),
    "ast_transformer": Row(
        GOOD,
        "class T:\n    def visit(self, node):\n        raise ValueError('in ast')\nget_ipython().ast_transformers.append(T())\n# %%\n1",
    ),
    "hook_raises": Row(
        GOOD,
        "def f(*a):\n    raise ValueError('in hook')\nfor n in ('pre_execute', 'post_execute', 'pre_run_cell', 'post_run_cell'):\n    get_ipython().events.register(n, f)",
    ),
    "hook_exits": Row(
        LEFT, "import sys\nget_ipython().events.register('post_run_cell', lambda *a: sys.exit(0))"
    ),
}

DISPLAYS = {
    "many_outputs": Row(GOOD, "for n in range(2000):\n    display(n)"),
    "odd_mimetypes": Row(
        BAD,
        "display({'x/y+z': 1, '': 'x', 'text/plain': 'plain', 'application/json': [1], 'image/png': 'no base64', 'n\\x00l': 's'}, raw=True)",
    ),
    "bundle_no_text": Row(
        BAD,
        "display({'text/plain': 3, 'text/html': None, 'application/x+json': {'a': {1: 2}}}, raw=True)",
    ),
    "bundle_empty": Row(GOOD, "display({}, raw=True)"),
    "nan_json": Row(
        GOOD,
        "from IPython.display import JSON\ndisplay(JSON({'x': [float('nan'), float('inf'), -float('inf')]}))",
    ),
    "nan_metadata": Row(GOOD, "display(1, metadata={'x': float('nan')})"),
    "unserialisable": Row(
        BAD, "display({'text/plain': 'x', 'application/json': object()}, raw=True)", "object"
    ),
    "bytes_display": Row(GOOD, "display({'text/plain': 'x', 'image/png': b'\\x89PNG'}, raw=True)"),
    "deep_json": Row(
        GOOD,
        "x = 1\nfor _ in range(400):\n    x = [x]\ndisplay({'application/json': x, 'text/plain': 'x'}, raw=True)",
    ),
    "repr_html_raises": Row(
        BAD,
        "class C:\n    def _repr_html_(self):\n        raise ValueError('in html')\nC()",
        "in html",
    ),
    "repr_raises": Row(
        BAD,
        "class C:\n    def __repr__(self):\n        raise ValueError('in repr')\nC()",
        "in repr",
    ),
    "repr_no_text": Row(
        BAD, "class C:\n    def __repr__(self):\n        return 3\nC()", "TypeError"
    ),
    "repr_surrogate": Row(
        GOOD, "class C:\n    def __repr__(self):\n        return 'a\\ud800b'\nC()"
    ),
    "repr_huge": Row(
        GOOD, "class C:\n    def __repr__(self):\n        return 'x' * 5_000_000\nC()"
    ),
    "repr_exits": Row(LEFT, "class C:\n    def __repr__(self):\n        raise SystemExit(0)\nC()"),
    "mimebundle_bad": Row(
        GOOD, "class C:\n    def _repr_mimebundle_(self, **k):\n        return 7\nC()"
    ),
    "update_unknown": Row(
        GOOD, "from IPython.display import update_display\nupdate_display(1, display_id='nobody')"
    ),
    "display_id_odd": Row(GOOD, "display(1, display_id='\\x00 \\ud800')"),
    "clear_wait": Row(
        GOOD, "from IPython.display import clear_output\nprint('x')\nclear_output(wait=True)"
    ),
    "clear_many": Row(
        GOOD,
        "from IPython.display import clear_output\nfor n in range(500):\n    clear_output(wait=n % 2)\n    print(n)",
    ),
    "script_display": Row(
        GOOD,
        "from IPython.display import HTML, Javascript\ndisplay(HTML('<script>document.body.remove()</script></body>'), Javascript('x'))",
    ),
    "comm_unknown": Row(
        GOOD,
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'comm_msg', {'comm_id': 'nobody', 'data': {}}, parent=k.get_parent())",
    ),
    "message_unknown": Row(
        GOOD,
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'no_such_type', {'x': 1}, parent=k.get_parent())",
    ),
    "message_malformed": Row(
        BAD,
        "k = get_ipython().kernel\nfor t in ('stream', 'display_data', 'execute_result', 'error', 'status', 'clear_output', 'update_display_data', 'comm_open', 'execute_input'):\n    k.session.send(k.iopub_socket, t, {}, parent=k.get_parent())",
    ),
    "message_odd_stream": Row(
        GOOD,
        "k = get_ipython().kernel\nfor c in ({'name': 'x', 'text': 'y'}, {'name': 3, 'text': 4}, {'name': 'stdout', 'text': None}, {'name': 'stdout', 'text': ['a']}):\n    k.session.send(k.iopub_socket, 'stream', c, parent=k.get_parent())",
    ),
    "message_odd_error": Row(
        BAD,
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'error', {'ename': 3, 'evalue': None, 'traceback': 'x'}, parent=k.get_parent())",
    ),
    "message_raw": Row(
        BAD,
        "k = get_ipython().kernel\nfor m in ([b'x'], [b''] * 7, [b'a', b'<IDS|MSG>', b'', b'{', b'', b'', b'']):\n    k.iopub_socket.send_multipart(m)",
    ),
    "message_idle": Row(
        GOOD,
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'status', {'execution_state': 'idle'}, parent=k.get_parent())\nimport time\ntime.sleep(0.2)\nprint('behind idle')",
        log="behind idle",
    ),
}

KERNEL = {
    "shell_closed": Row(DEAD, "get_ipython().kernel.shell_stream.close()"),
    "iopub_closed": Row(LATE, "get_ipython().kernel.iopub_socket.close()"),
    "send_replaced": Row(DEAD, "get_ipython().kernel.session.send = lambda *a, **k: None"),
    "send_raises": Row(
        DEAD,
        "def f(*a, **k):\n    raise ValueError('in send')\nget_ipython().kernel.session.send = f",
    ),
    "shell_none": Row(DEAD, "get_ipython().kernel.shell = None"),
    "run_cell_replaced": Row(BAD, "get_ipython().run_cell = None"),
    "display_pub_none": Row(BAD, "get_ipython().display_pub = None\ndisplay(1)"),
    "count_text": Row(BAD, "get_ipython().execution_count = 'x'"),
    "count_negative": Row(GOOD, "get_ipython().execution_count = -5"),
    "json_replaced": Row(GOOD, "import json\njson.dumps = json.loads = None"),
    "zmq_replaced": Row(DEAD, "import zmq\nzmq.Socket = zmq.Context = None"),
    "zmq_terminated": Row(GOOD, "import zmq\nzmq.Context.instance().destroy(0)"),
    "get_ipython_gone": Row(GOOD, "import IPython\nget_ipython = IPython.get_ipython = None"),
    "dispatch_replaced": Row(LATE, "get_ipython().kernel.dispatch_shell = None"),
    "instances_cleared": Row(
        GOOD,
        "from ipykernel.ipkernel import IPythonKernel\nIPythonKernel.clear_instance()\nget_ipython().__class__.clear_instance()",
    ),
    "user_ns_replaced": Row(BAD, "get_ipython().user_ns = {}"),
    "history_broken": Row(BAD, "get_ipython().history_manager = None"),
    "parent_cleared": Row(LATE, "get_ipython().kernel.set_parent([], {}, 'shell')\nprint('whose')"),
    "key_changed": Row(BAD, "get_ipython().kernel.session.key = b'x'"),
    "launch_another": Row(
        BAD, "from ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance()"
    ),
}

EVERY: dict[str, Row] = {
    **EXITS,
    **EXCEPTIONS,
    **STREAMS,
    **SIGNALS,
    **THREADS,
    **PROCESSES,
    **SURROUNDINGS,
    **MAGICS,
    **DISPLAYS,
    **KERNEL,
}

# These reach for what the runner keeps, and run one after the other. `RUN` is the run's folder.
DISTURBING = {
    "source_deleted": Row(GOOD, "import os\nos.remove(os.environ['RUN_NOTEBOOK'])"),
    "source_edited": Row(GOOD, "import os\nopen(os.environ['RUN_NOTEBOOK'], 'a').write('garbage')"),
    "executed_removed": Row(GOOD, "import os\nos.remove(RUN / 'notebooks/executed_removed.ipynb')"),
    "executed_garbage": Row(
        GOOD, "(RUN / 'notebooks/executed_garbage.ipynb').write_text('garbage')"
    ),
    "executed_pipe": Row(
        GOOD,
        "import os\np = RUN / 'notebooks/executed_pipe.ipynb'\np.unlink()\nos.mkfifo(p)",
    ),
    "journal_removed": Row(GOOD, "(RUN / 'journal.jsonl').unlink()"),
    "heartbeat_pipe": Row(
        GOOD, "import os\n(RUN / 'heartbeat.json').unlink()\nos.mkfifo(RUN / 'heartbeat.json')"
    ),
    "log_removed": Row(GOOD, "(RUN / 'log.txt').unlink()\n(RUN.parents[1] / 'log.txt').unlink()"),
    "locks_held": Row(
        GOOD,
        "import fcntl\nheld = [p.open('a') for p in RUN.parents[1].rglob('*') if p.is_file()]\n"
        "for f in held:\n    try:\n        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except OSError:\n        pass",
    ),
    "output_pipe": Row(BAD, "import os\nos.mkfifo(output_x)", "output_pipe.txt"),
    "output_socket": Row(
        BAD, "import socket\nsocket.socket(socket.AF_UNIX).bind(output_x)", "output_socket.txt"
    ),
    "output_device": Row(BAD, "import os\nos.symlink('/dev/null', output_x)", "output_device.txt"),
    "output_loop": Row(BAD, "import os\nos.symlink(output_x, output_x)", "output_loop.txt"),
    "settings_garbage": Row(GOOD, "open('../pyproject.toml', 'w').write('[[')"),
}
