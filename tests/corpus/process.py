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
