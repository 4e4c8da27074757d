"""The trail that runs leave: reads and writes it, decides nothing."""

from .evidence import Environment, Fingerprint, Seen, with_parents
from .heartbeat import beating
from .journal import RUN_ID, refuse_links, run_folders
from .made import Made, last_made
from .record import VERSION, moment, stage_details, storable
from .recorder import Recorder, RunStarted
from .repair import settle

__all__ = [
    "RUN_ID",
    "VERSION",
    "Environment",
    "Fingerprint",
    "Made",
    "Recorder",
    "RunStarted",
    "Seen",
    "beating",
    "last_made",
    "moment",
    "refuse_links",
    "run_folders",
    "settle",
    "stage_details",
    "storable",
    "with_parents",
]
