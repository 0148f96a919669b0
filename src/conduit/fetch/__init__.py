"""WHERE PROFILES COME FROM: files, standard input and URLs are read, merged, symbolized and saved."""
