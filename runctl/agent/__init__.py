"""The supervisor: what runs beside a job on its machine. Standard library only, Python 3.8, shipped as one file.

`main` guards a `supervisor`, which prepares, starts, attends and ends one command and writes the record
(`docs/job-record.md`). `bundle` and `bootstrap` are the client's half: they make the file and
the script that starts it.
"""
