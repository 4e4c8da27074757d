import pandas as pd


def table():
    return pd.DataFrame({'a': [1]})
