"""The wait that a message ends, and the frames that messages come in."""

from fastweb._speedups.arrival cimport Arrival
from fastweb._speedups.websocket_frames cimport Event, FrameParser
