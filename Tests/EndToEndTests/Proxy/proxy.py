"""A TCP proxy that injects a network fault into one connection, at a byte that the test chooses.

usage: proxy.py LISTEN_ADDRESSES PORT TARGET_ADDRESS TARGET_PORT FAULT CONNECTION BYTES

FAULT is none, cut (FIN both ways), reset (RST), half (FIN to the client only) or stall (nothing more goes through).
It hits connection number CONNECTION, from 1, once BYTES have gone through it in both directions together.
Or it is latency (everything arrives BYTES milliseconds later) or slow (BYTES per second each way), from the first
byte on; CONNECTION 0 means all. LISTEN_ADDRESSES are separated by commas.
Prints `ready`, then the number and the bytes of each connection that ends.
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
        is_struck = number == struck or struck == 0
        self.strikes_at_a_byte = is_struck and fault in ("cut", "reset", "half", "stall")
        self.delay = limit / 1000 if is_struck and fault == "latency" else 0
        self.rate = limit if is_struck and fault == "slow" else 0

    def strike(self):
        """Returns whether the fault is due, and applies it."""
        if not self.strikes_at_a_byte or self.bytes < limit:
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

    async def delayed(self, reader):
        """Yields each piece that was read after its delay; many pieces may be delayed at once."""
        loop = asyncio.get_running_loop()
        way = asyncio.Queue(maxsize=1024)

        async def receive():
            data = b"-"
            while data:
                data = await reader.read(65536)
                await way.put((loop.time() + self.delay, data))

        receiving = asyncio.create_task(receive())
        try:
            while True:
                due, data = await way.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    return
                yield data
        finally:
            receiving.cancel()

    async def pieces(self, reader):
        if self.delay:
            async for data in self.delayed(reader):
                yield data
        elif self.rate:
            # At most a tenth of a second's worth at a time.
            while data := await reader.read(max(1, self.rate // 10)):
                yield data
                await asyncio.sleep(len(data) / self.rate)
        else:
            while data := await reader.read(65536):
                yield data

    async def pump(self, reader, writer):
        try:
            async for data in self.pieces(reader):
                if self.is_stalled:
                    await asyncio.Event().wait()
                # Forwards up to the exact byte, not to the end of a segment.
                room = limit - self.bytes if self.strikes_at_a_byte else len(data)
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
    server = await asyncio.start_server(accept, listen.split(","), port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
