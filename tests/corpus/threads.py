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
