import warnings

warnings.simplefilter("error")
# %%
try:
    warnings.warn("this")
except UserWarning as error:
    print(error)
