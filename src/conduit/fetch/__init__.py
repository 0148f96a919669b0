"""Input of profiles: reads files, standard input and URLs, merges the profiles, and saves those downloaded.

Follows the rules of `go tool pprof` for its arguments (sources, `-base`, `-diff_base`, the folder of saved
profiles). `foreign` reads the formats of other tools. Used by the command line.
"""
