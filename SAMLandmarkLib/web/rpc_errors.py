"""Keeps the program's inside out of what a browser is told where one of its calls fails."""

from __future__ import annotations

from typing import Any

from wslink.protocol import WslinkHandler

_send = WslinkHandler.sendWrappedError


async def _send_without_trace(
    handler: WslinkHandler,
    rpc_id: Any,
    code: int,
    message: str,
    data: Any = None,
    client_id: Any = None,
) -> None:
    # wslink adds the whole trace, with folders of this computer and pieces of its source; the log has it as well.
    shown = data.get("method") if isinstance(data, dict) else None
    await _send(handler, rpc_id, code, message, shown, client_id=client_id)


def hide_traces() -> None:
    """Have wslink answer a failed call with the call's name and no more. May be called again."""
    WslinkHandler.sendWrappedError = _send_without_trace
