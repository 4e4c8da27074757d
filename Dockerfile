# The image has everything that the project needs, and the project itself in /project. It runs as
# any user and with a read-only root; what must be writable is /tmp and the folder that is built in.
#
#   docker build -t pipeline .                                          # on the cluster's own base
#   docker build -t pipeline --build-arg BASE=python:3.12-slim-bookworm .    # or on a small one
#
#   docker run --rm pipeline                                            # test what is in the image
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" \
#       -v "$PWD:/work" -w /work pipeline python run.py test            # test a clone in $PWD
#
# Any base based on Debian or Ubuntu will do whose `python3` is Python 3.11 to 3.13.
ARG BASE=ghcr.io/ucsd-ets/datascience-notebook:2025.2-stable

# The tag is in the argument.
FROM ${BASE}

# For the installation only.
USER 0

# git to clone with, tini as process 1: it hands on signals and buries orphans. Their versions are
# the base's.
# hadolint ignore=DL3008
RUN if ! { command -v git && command -v tini; } > /dev/null; then \
        apt-get update \
        && apt-get install -y --no-install-recommends ca-certificates git tini \
        && rm -rf /var/lib/apt/lists/*; \
    fi

# A virtual environment leaves the base's own packages, conda's for one, as they are. Bytecode is
# made now, also that of a base that comes without: later nobody may write it.
COPY requirements.txt /opt/pipeline/requirements.txt
RUN python3 -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), sys.version' \
    && python3 -m venv /opt/pipeline/venv \
    && /opt/pipeline/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        -r /opt/pipeline/requirements.txt \
    && python3 -m compileall -q -j 0 "$(python3 -c 'import json; print(json.__path__[0])')/.." \
        -x '/(site-packages|lib2to3|test|tests|idlelib)/' \
    # A Jupyter of the base's, such as a JupyterHub's, opens notebooks with these packages, too.
    && HOME=/tmp/home /opt/pipeline/venv/bin/python -m ipykernel install \
        --prefix "$(python3 -c 'import sys; print(sys.prefix)')" \
    && rm -rf /tmp/home
ENV PATH=/opt/pipeline/venv/bin:$PATH

WORKDIR /project
COPY . .
RUN python -m compileall -q run.py runner && chmod -R a+rX . && chmod -R a+rwX outputs

# Where the platform sets none, the user is the first one of a Jupyter base.
USER 1000:100
# Jupyter, IPython and matplotlib keep files at home; a user without one gets /tmp.
ENTRYPOINT ["tini", "-g", "--", "sh", "-c", "[ -w \"$HOME\" ] || export HOME=/tmp; exec \"$@\"", "sh"]
CMD ["python", "run.py", "test"]
