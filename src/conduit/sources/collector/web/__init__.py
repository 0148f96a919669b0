"""Web frameworks with an enumeration of their own, one file each; `readers` says which application belongs to which."""
