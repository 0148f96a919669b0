"""RECORDINGS INSIDE A PROCESS THAT WAS NOT PREPARED FOR THEM: from Python 3.14 on, on Linux.

Such a process can be asked to run a script (PEP 768). `request` writes that request into its memory through the offsets
that the interpreter publishes, so that any version of Python can ask; `bootstrap` is the script, which starts a thread
and returns; `session` is what the thread runs: the ordinary recordings, whose profiles it sends back; `client` is our
side of it. When the recording is over, or when this process has died, the thread takes away all that it brought.
"""
