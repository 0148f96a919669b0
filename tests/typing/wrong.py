"""What a typed package must not allow: a checker complains about each line that says `wrong`."""

import conduit
from conduit.bench import benchmark
from conduit.profile.codec import decode

conduit.load(1.5)  # wrong: not a path
conduit.get_registry().resources().append(1)  # wrong: resources cannot be added
benchmark("sum(range(10))")  # wrong: not a function
decode("text")  # wrong: not bytes
print(conduit.get_registry().resource("Post").nam)  # wrong: no such field
