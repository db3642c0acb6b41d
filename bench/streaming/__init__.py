"""Bodies of 1 GiB, out and in, through fastweb and through a protocol on uvloop that does nothing else.

    out      64 KiB at a time, with Content-Length       StreamingResponse of an async generator
    chunked  the same without: in chunks
    in       a POST that is read and thrown away         request.stream()
    file     a file of that size                         FileResponse, by os.sendfile

The reference (`bench.streaming.servers`) parses no HTTP but what it must, awaits nothing, and writes what the
transport takes. Both servers are asked in turn by the same client, which throws away what it gets; the figure
is the ratio of the medians. The server's own processor time is beside it, since a client that is slower than
both hides their difference.
"""
