"""Recordings inside a process that was started without Conduit, on Linux, for Python 3.14 and later.

Such a process can be asked to run a script (PEP 768). `request` writes that request into the process's memory at the
offsets that its interpreter publishes, so the asking process may run any version of Python. `bootstrap` is the script,
which starts a thread and returns. `session` runs in that thread: it makes ordinary recordings and sends their profiles
back. `client` is the asking side. When the recording is over, or when the asking process has died, the thread removes
everything it installed.
"""
