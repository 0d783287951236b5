#!/usr/bin/python3
"""Runs a command on a terminal of its own and answers what it asks.

usage: terminal.py PROMPT ANSWER COMMAND...
  PROMPT  the end of the text after which ANSWER and a newline are typed; ANSWER "^C" types that
standard output: all that the terminal showed, and in a last line whether it echoes at the end
exit status: the command's; 128 + N if signal N ended it
"""
import os
import pty
import select
import sys
import termios
import time

prompt, answer, command = sys.argv[1].encode(), sys.argv[2], sys.argv[3:]
master, slave = pty.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    os.close(os.open(os.ttyname(slave), os.O_RDWR))  # It is the controlling terminal now.
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    os.execvp(command[0], command)

shown = b""
answered = False
until = time.monotonic() + 20
ended = 0
while not ended and time.monotonic() < until:
    if select.select([master], [], [], 0.05)[0]:
        shown += os.read(master, 4096)
    if not answered and shown.endswith(prompt):
        os.write(master, b"\x03" if answer == "^C" else answer.encode() + b"\n")
        answered = True
    ended, status = os.waitpid(child, os.WNOHANG)
if not ended:
    os.kill(child, 9)
    sys.exit("terminal.py: it does not end: " + repr(shown))
while select.select([master], [], [], 0)[0]:
    shown += os.read(master, 4096)
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
print("echo" if termios.tcgetattr(slave)[3] & termios.ECHO else "no echo")
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
