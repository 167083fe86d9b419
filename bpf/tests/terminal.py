#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py COMMAND... - run it on a terminal that changes its size, press keys, tell what it draws

Each step is checked: it draws at 120x30, again after a change to 50x9 and to 200x60, to 1x1 and back,
obeys its keys, and leaves with status 0 when q is pressed. Prints one word for each step that worked.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def resize(columns, lines):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def drawn(wanted, seconds=20):
    """Read until this is on the screen."""
    text = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                break
            if wanted in text:
                return
    sys.exit("%r was not drawn, but %r" % (wanted, text[-2000:]))


def step(word):
    print(word, flush=True)


child, terminal = pty.fork()
if not child:
    os.environ["TERM"] = "xterm"
    time.sleep(0.2)
    os.execv(sys.argv[1], sys.argv[1:])
resize(120, 30)
drawn(b"WRITER")
drawn(b"[")
step("draws")
resize(50, 9)
drawn(b"PIPE")
step("shrinks")
resize(200, 60)
drawn(b"KEPT")
step("grows")
resize(1, 1)
time.sleep(1.5)
resize(120, 30)
drawn(b"WRITER")
step("survives")
os.write(terminal, b"t")
drawn(b"PROCESS")
step("processes")
os.write(terminal, b"ts")
drawn(b"messages")
step("sorts")
os.write(terminal, b"<<")
drawn(b"pipe")
os.write(terminal, b"\x1b[B\x1b[B\x1b[6~\x1b[5~\x1b[A")
step("scrolls")
os.write(terminal, b"q")
drawn(b"\x1b[?1049l")
status = os.waitpid(child, 0)[1]
if status:
    sys.exit("status %d" % status)
step("quits")
