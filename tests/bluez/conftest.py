"""Nothing here is for `make test`: the steps in guest/ run in a guest of their own, by run.py."""

collect_ignore = ["guest"]
