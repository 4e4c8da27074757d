"""Which names look like those of secrets."""

import re

# Whole words, so that `max_tokens` and `tokenizer` stay legal names of parameters.
_SECRET = re.compile(
    r"(?:^|_)(?:secret|password|passwd|passphrase|token|api_?key|access_?key|private_?key"
    r"|credentials?)(?:_|$)",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """Tell whether a name is that of a secret."""
    return bool(_SECRET.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)))
