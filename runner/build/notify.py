"""Tell someone how a run ended, through whatever service a URL names (apprise)."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..project import Settings
from ..words import one_line

# A message that does not go out is not waited for longer, in seconds.
LIMIT = 30.0


def of(settings: Settings, environ: Mapping[str, str], *, option: bool) -> "Notifier":
    """Find out whom to tell: by the option, by RUN_NOTIFY, or by the project's setting.

    Args:
        settings: the project's, with the options on top.
        environ: the environment.
        option: whether it was given as an option.

    Raises:
        UsageError: a URL cannot be used.
    """
    variable = tuple(environ.get("RUN_NOTIFY", "").split())
    if variable and not option:
        found = Notifier(variable, "RUN_NOTIFY")
    else:
        found = Notifier(settings.notify, "--notify" if option else "notify in pyproject.toml")
    found.check()
    return found


@dataclass(frozen=True)
class Notifier:
    """Sends a message to each URL, such as `slack://…`, `mailto://…`, `json://host/path`."""

    urls: tuple[str, ...]
    origin: str = ""

    def check(self) -> None:
        """Refuse URLs that no service understands, before anything runs.

        Raises:
            UsageError: there is one; it is named by its place, for it holds a secret.
        """
        if not self.urls:
            return
        import apprise  # noqa: PLC0415 - slow, and few runs notify

        for number, url in enumerate(self.urls, 1):
            if apprise.Apprise.instantiate(url) is None:
                which = f" {number}" if len(self.urls) > 1 else ""
                message = (
                    f"{self.origin}: URL{which} cannot be used; "
                    "see https://github.com/caronc/apprise for the forms"
                )
                raise UsageError(message)

    def send(self, title: str, lines: Sequence[str], limit: float = LIMIT) -> str | None:
        """Send a message, within `limit` seconds; give what went wrong, and never raise."""
        if not self.urls:
            return None
        failed: list[str] = []
        worker = threading.Thread(target=self._send, args=(title, lines, failed), daemon=True)
        worker.start()
        worker.join(limit)
        if worker.is_alive():
            return f"the notification was not sent: no answer in {limit:g} seconds"
        return failed[0] if failed else None

    def _send(self, title: str, lines: Sequence[str], failed: list[str]) -> None:
        try:
            import apprise  # noqa: PLC0415 - as above

            # Its own messages would show the URLs.
            logging.getLogger("apprise").addHandler(logging.NullHandler())
            logging.getLogger("apprise").propagate = False
            receivers = apprise.Apprise()
            for url in self.urls:
                receivers.add(url)
            if not receivers.notify(title=one_line(title), body="\n".join(map(one_line, lines))):
                failed.append("not everyone was told: a service cannot be reached or refused")
        except Exception as error:  # noqa: BLE001 - a message is never why a run fails
            failed.append(f"the notification was not sent: {type(error).__name__}")
