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
