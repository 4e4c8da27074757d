"""The trail that runs leave: reads and writes it, decides nothing.

What only a build needs is not in this face, which all commands load.
"""

from .evidence import CertainUse, Environment, Fingerprint, Seen, with_parents
from .journal import RUN_ID, refuse_links, run_folders
from .made import Made, last_made, made_in
from .metrics import is_number
from .record import VERSION, File, Record, StageRecord, moment, stage_details, storable

__all__ = [
    "RUN_ID",
    "VERSION",
    "CertainUse",
    "Environment",
    "File",
    "Fingerprint",
    "Made",
    "Record",
    "Seen",
    "StageRecord",
    "is_number",
    "last_made",
    "made_in",
    "moment",
    "refuse_links",
    "run_folders",
    "stage_details",
    "storable",
    "with_parents",
]
