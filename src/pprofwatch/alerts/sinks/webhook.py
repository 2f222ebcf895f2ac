"""A webhook: each event is POSTed as JSON, or in the form that Slack and Mattermost take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pprofwatch.alerts.sinks.base import Notice, Sink
from pprofwatch.alerts.sinks.post import Poster

if TYPE_CHECKING:
    from pprofwatch.config.settings import SinkConfig

#: Slack cuts longer texts; see https://api.slack.com/methods/chat.postMessage. Characters.
_LONGEST_TEXT = 3500
# https://api.slack.com/reference/surfaces/formatting: what else would make links and mentions.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class WebhookSink(Sink):
    """POSTs an event to a URL."""

    def __init__(self, config: SinkConfig) -> None:
        super().__init__(config)
        self._poster = Poster(config)

    async def send(self, notice: Notice) -> None:
        """POST it."""
        body = slack_message(notice.text) if self.config.format == "slack" else notice.fields
        await self._poster.post(msgspec.json.encode(body))


def slack_message(text: str) -> dict[str, Any]:
    """The body of a message for Slack's and Mattermost's incoming webhooks, with the text as it is.

    A Go method's name, ``main.(*Pool).Get``, has characters that would format it, so that all of it stands as code.
    """
    # What closes a block of code, and what a screen does not show, must not come from a name.
    safe = "".join(char if char.isprintable() or char == "\n" else "�" for char in text).replace("`", "'")
    if len(safe) > _LONGEST_TEXT:
        safe = safe[: _LONGEST_TEXT - 1] + "…"
    first, _, rest = "".join(_ESCAPES.get(char, char) for char in safe).partition("\n")
    return {"text": f"`{first}`" + (f"\n```\n{rest}\n```" if rest else "")}
