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
