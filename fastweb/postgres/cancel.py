"""CancelRequest: asks the server to end what a session is doing, over a connection of its own.

    CancelRequest: Int32 length, Int32 80877102, Int32 process, the key (4 bytes; of protocol 3.2 up to 256)

It goes to the address that the session is at, and over TLS where the session has it: its key is the
session's. The server answers nothing and closes; whether something was cancelled shows in the session alone,
and what is cancelled is whatever the session does by then.

Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
"""

from __future__ import annotations

import asyncio
import struct

from fastweb.postgres.channel import Channel, ClosedBefore
from fastweb.postgres.errors import ConnectError, ProtocolError, UnsupportedServerFeatureError
from fastweb.postgres.startup import NextAddressError, Session, open_channel
from fastweb.postgres.tls import PLAIN, TLS

__all__ = ["CANCEL_TIMEOUT", "cancel_request", "send_cancel"]

_CODE = 80877102

#: Seconds that all of it may take where the options set no connect_timeout.
CANCEL_TIMEOUT = 10.0


def cancel_request(process_id: int, secret_key: bytes) -> bytes:
    """The message."""
    return struct.pack("!iii", 12 + len(secret_key), _CODE, process_id) + secret_key


async def send_cancel(session: Session, loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Sends a CancelRequest for `session`, and waits until the server has taken it.

    Raises:
        UnsupportedServerFeatureError: the server has given no key (some poolers do not).
        ConnectError: the server could not be reached.
        TimeoutError: the server could not be reached within connect_timeout.
        ProtocolError: it has not closed by then, or has answered: what it ends, and when, nobody knows.
    """
    if loop is None:
        loop = asyncio.get_running_loop()
    if not session.secret_key:
        raise UnsupportedServerFeatureError("the server has given no key by which a statement is cancelled")
    options = session.options
    limit = options.connect_timeout or CANCEL_TIMEOUT
    written = False
    channel: Channel | None = None
    try:
        async with asyncio.timeout(limit):
            channel, certificate = await open_channel(
                session.address, TLS if session.is_encrypted else PLAIN, options, loop
            )
            if session.is_encrypted and certificate is None:
                raise ConnectError(
                    f"{session.address}: the server has TLS no more: the key is not sent in clear"
                )
            channel.write(cancel_request(session.process_id, session.secret_key))
            written = True
            await channel.read_byte()
    except NextAddressError as error:
        raise error.failure from error.__cause__
    except ClosedBefore:
        # As it must be. The request has been dealt with: a statement that is sent now is not its victim.
        return
    except TimeoutError as error:
        if not written:
            raise
        raise ProtocolError(
            f"{session.address}: the server has not dealt with a CancelRequest in {limit:g} s"
        ) from error
    finally:
        if channel is not None:
            channel.close()
    raise ProtocolError(f"{session.address}: the server answered a CancelRequest")
