"""What a kernel sends arrives, at whatever moment we send, too."""

import asyncio
import select
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client.session import Session

from runner.kernels.manager import Channel


def test_a_reply_that_comes_while_something_is_sent_is_noticed(tmp_path: Path) -> None:
    session = Session(key=b"")
    with zmq.Context() as other, zmq.asyncio.Context() as context:
        kernel, ours = other.socket(zmq.ROUTER), context.socket(zmq.DEALER)

        news = int(str(ours.getsockopt(zmq.FD)))

        async def reply() -> str:
            channel = Channel(ours, session)
            channel.send(session.msg("execute_request"))
            ident, *_ = kernel.recv_multipart()
            waiting = asyncio.create_task(channel.get_msg(timeout=None))
            for _ in range(10):
                # It looks by itself as it begins.
                await asyncio.sleep(0)
            session.send(kernel, "execute_reply", {}, ident=ident)
            # The socket has it, and sending takes note of that before the event loop does.
            assert select.select([news], [], [], 30)[0]
            while select.select([news], [], [], 0)[0]:
                channel.send(session.msg("comm_msg"))
            # Ten times longer than it may take; without a second look it would be for ever.
            message = await asyncio.wait_for(waiting, 10 * channel.LOOK_AGAIN)
            return str(message["msg_type"])

        with kernel, ours:
            for socket in (kernel, ours):
                socket.linger = 0
            # A short name, for a socket's is limited.
            address = f"ipc://@{tmp_path.name}"
            kernel.bind(address)
            ours.connect(address)
            assert asyncio.run(reply()) == "execute_reply"
