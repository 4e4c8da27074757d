"""Packages that are not to be imported before a fork; a warm process loads this file, too.

They start threads, or hold a device or a connection, from their import on, and their manuals
warn of forks.
"""

NO_FORK = frozenset(
    {
        *("cudf", "cugraph", "cuml", "cupy", "pycuda", "rmm"),
        *("grpc", "h2o", "horovod", "jax", "mpi4py", "polars", "pyspark", "ray", "tensorflow"),
        *("jnius", "julia", "juliacall", "rpy2", "torch_xla"),
    }
)
