"""Profiles as data, after google/pprof's `profile.proto`.

A profile is a table of samples; each sample has a stack of locations, one value for each sample type, and labels.
This package decodes and encodes the format (`codec`; older formats are read by `legacy`), makes new profiles
(`builder`), and has the functions from profiles to a new profile: merge, difference, scale and normalise (`merge`);
keep, drop, hide and prune (`focus`, `prune`). It does not print and does not open files. Used by `conduit.record`,
`conduit.fetch`, `conduit.report`, `conduit.debug`, `conduit.web` and the command line.
"""
