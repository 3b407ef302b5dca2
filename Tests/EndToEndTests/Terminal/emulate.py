"""Runs a command on an emulated terminal, and prints as JSON what a person could read there at the end: the text that
scrolled away, and the screen. After every fifth piece of output and a quiet moment the terminal takes its next size,
with the command stopped: everything drawn for the old size has arrived by then. Without the pause it would often stop
between reading the size and drawing, which no terminal program can avoid.

usage: emulate.py ROWSxCOLUMNS[,ROWSxCOLUMNS...] COMMAND [ARGUMENT...]
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

import pyte

# Much longer than one drawing, and much shorter than the time between drawings when nothing happens.
QUIET_SECONDS = 0.05


def stop(child):
    """Stops the command; returns False if it has already ended."""
    os.kill(child, signal.SIGSTOP)
    return os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED


def main():
    sizes = [tuple(map(int, size.split("x"))) for size in sys.argv[1].split(",")]
    rows, columns = sizes[0]
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(sys.argv[2], sys.argv[2:], {**os.environ, "TERM": "xterm"})
    screen = pyte.HistoryScreen(columns, rows, history=10_000)
    stream = pyte.ByteStream(screen)
    pieces = 0
    resizes = 0
    due = False
    while True:
        if due and not select.select([terminal], [], [], QUIET_SECONDS)[0] and stop(child):
            due = False
            resizes += 1
            while select.select([terminal], [], [], 0)[0]:
                stream.feed(os.read(terminal, 65_536))
            rows, columns = sizes[pieces // 5 % len(sizes)]
            screen.resize(rows, columns)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.kill(child, signal.SIGCONT)
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            break
        if not piece:
            break
        stream.feed(piece)
        pieces += 1
        due = due or (len(sizes) > 1 and pieces % 5 == 0)
    _, status = os.waitpid(child, 0)
    gone = ["".join(line[column].data for column in range(screen.columns)) for line in screen.history.top]
    lines = [line.rstrip() for line in gone + list(screen.display)]
    json.dump({"code": os.waitstatus_to_exitcode(status), "lines": lines, "pieces": pieces, "resizes": resizes}, sys.stdout)


main()
