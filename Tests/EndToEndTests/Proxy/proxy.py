"""A TCP proxy that spoils one connection: what networks do, at a byte that the test chooses.

usage: proxy.py LISTEN_ADDRESS PORT TARGET_ADDRESS TARGET_PORT FAULT CONNECTION BYTES

FAULT is none, cut (FIN both ways), reset (RST), half (FIN to the client only) or stall (nothing more goes through).
It strikes connection number CONNECTION, from 1, once BYTES have gone through it in both directions together.
Prints `ready`, then for each connection that ends its number and its bytes.
"""
import asyncio
import socket
import struct
import sys

listen, port, target, target_port, fault, struck, limit = sys.argv[1:]
port, target_port, struck, limit = int(port), int(target_port), int(struck), int(limit)
count = 0


class Connection:
    def __init__(self, number, client, server):
        self.number, self.client, self.server = number, client, server
        self.bytes = 0
        self.is_stalled = False

    def strike(self):
        """Whether the fault is due; applies it."""
        if fault == "none" or self.number != struck or self.bytes < limit:
            return False
        if fault == "stall":
            self.is_stalled = True
        elif fault == "half":
            self.client.write_eof()
            self.is_stalled = True
        else:
            for writer in (self.client, self.server):
                if fault == "reset":
                    # SO_LINGER with no time: close(2) sends RST.
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort() if fault == "reset" else writer.close()
        return True

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                if self.is_stalled:
                    await asyncio.Event().wait()
                # Up to the very byte, not to the end of a segment.
                room = limit - self.bytes if fault != "none" and self.number == struck else len(data)
                part = data[:max(0, min(room, len(data)))]
                writer.write(part)
                await writer.drain()
                self.bytes += len(part)
                if self.strike():
                    return
        except OSError:
            pass
        finally:
            if not self.is_stalled:
                writer.close()


async def accept(reader, writer):
    global count
    count += 1
    number = count
    try:
        far_reader, far_writer = await asyncio.open_connection(target, target_port)
    except OSError:
        writer.close()
        return
    connection = Connection(number, writer, far_writer)
    await asyncio.gather(connection.pump(reader, far_writer), connection.pump(far_reader, writer))
    print(number, connection.bytes, flush=True)


async def main():
    server = await asyncio.start_server(accept, listen, port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
