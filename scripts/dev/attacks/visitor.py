"""A browser's session as the server sees it: pages that are opened, and buttons on them that are pressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from scripts.dev.attacks.registry import Target

RUN_SECONDS = 60.0  # the longest run of a page that is waited for


@contextmanager
def connection_to_page(target: Target, source: str = "127.0.0.1") -> Iterator[ClientConnection]:
    """The WebSocket of a page, from an address of this machine."""
    address = target.address.replace("http://", "ws://") + "/_stcore/stream"
    origin, protocol = Origin(target.address), Subprotocol("streamlit")
    with connect(
        address,
        origin=origin,
        subprotocols=[protocol],
        max_size=None,
        ping_interval=None,
        source_address=(source, 0),
    ) as connection:
        yield connection


class Visitor:
    """Runs pages over a connection; ``buttons`` are those of the last run by their labels, ``pages`` by their paths."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._page = ""
        self.buttons: dict[str, str] = {}
        self.pages: dict[str, str] = {}
        self.text = ""
        self._run(WidgetStates())

    def go_to(self, path: str) -> None:
        """Open another page, such as ``"optimize"``."""
        self._page = self.pages[path]
        self._run(WidgetStates())

    def press(self, label: str) -> None:
        """Press a button and wait until the page is drawn.

        Raises:
            KeyError: there is no such button.
        """
        self._run(WidgetStates(widgets=[WidgetState(id=self.buttons[label], trigger_value=True)]))

    def _run(self, widgets: WidgetStates) -> None:
        self.buttons, self.text = {}, ""
        self._connection.send(
            BackMsg(rerun_script=ClientState(widget_states=widgets, page_script_hash=self._page)).SerializeToString()
        )
        while True:
            message = ForwardMsg()
            message.ParseFromString(self._connection.recv(RUN_SECONDS, decode=False))
            self._look_at(message)
            # Where a page begins again by itself, there is another run to come.
            if message.WhichOneof("type") == "script_finished":
                if message.script_finished != ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN:
                    return
                self.buttons = {}

    def _look_at(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "navigation":
                self.pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                match element.WhichOneof("type"):
                    case "button":
                        self.buttons[element.button.label] = element.button.id
                    case "progress":
                        self.text += element.progress.text + "\n"
                    case "alert":
                        self.text += element.alert.body + "\n"
