"""THE RECORD OF WHERE IT WENT: profiles as data, after google/pprof's `profile.proto`.

A profile is a table of samples: a stack of locations, one value for each sample type, labels. This
room decodes and encodes the format (`codec`, `legacy`), makes new profiles (`builder`), and holds the
algebra that is a function from profiles to a new one: merge, difference, scale, normalise (`merge`);
keep, drop, hide, prune (`focus`). It prints nothing, opens nothing and knows no command line: the
collectors write with it, the reports and the browser read with it.
"""
