"""Where load comes from: wrk in a closed loop, a small generator of our own in an open one."""
