"""What 10,000 idle keep-alive connections cost, and 5,000 idle WebSockets: memory, and the time of those that
are busy.

A server with one JSON route is asked by 64 busy connections, then 10,000 others connect, ask once and stay,
and the 64 ask again. Memory is the server's own (RssAnon), so without the kernel's sockets; time is that of
each request, as the clients see it: its median and 99th percentile, and the longest. The WebSockets are those
of an endpoint that waits for a text; each has sent one and got it back.
"""
