#!/usr/bin/env python3
"""Runs a shell command on a terminal of its own: on-terminal.py COMMAND [TEXT INPUT]...

As soon as TEXT was printed since the last step, INPUT is typed, with a return unless it is a control character. Prints all that the terminal showed.
"""
import os
import pty
import select
import sys
import time

PATIENCE = 60

command, words = sys.argv[1], [os.fsencode(word) for word in sys.argv[2:]]
steps = list(zip(words[::2], words[1::2]))
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", command])
shown, since = b"", 0
end = time.monotonic() + PATIENCE
while time.monotonic() < end:
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        data = os.read(terminal, 4096)
    except OSError:  # the other side is closed
        break
    if not data:
        break
    shown += data
    if steps and steps[0][0] in shown[since:]:
        since = len(shown)
        typed = steps.pop(0)[1]
        # What is typed before a program reads is echoed all the same; it needs a moment to be there.
        time.sleep(0.3)
        os.write(terminal, typed if typed < b" " else typed + b"\n")
os.write(1, shown)
