"""Tests, through the front door where they can be."""

import sys

# jsonschema imports it if it can, for a format that notebooks do not hold, and it compiles a
# grammar for a second or two. `None` makes an import fail at once.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
