"""How good is the gate as users run it: real commands over backends with a planted slowdown, each a fresh process."""
