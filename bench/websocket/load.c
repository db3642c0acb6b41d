/* The load client of an echo: `load PORT CONNECTIONS SECONDS SIZE PATH`. A closed loop: on each connection, the next
 * text of SIZE bytes goes out when the last has come back whole. Prints messages a second, and the part of its core
 * that it used. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (1 << 20)

typedef struct {
    int fd;
    size_t got;
} Connection;

static uint8_t out[BUFFER], in[BUFFER];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* A masked frame of a text; its size. The echo's is four bytes shorter: it has no key. */
static size_t make_frame(size_t size) {
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    size_t head = 2;
    out[0] = 0x81;
    if (size < 126) {
        out[1] = (uint8_t)(0x80 | size);
    } else if (size < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)size;
        head = 4;
    } else {
        out[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) out[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
        head = 10;
    }
    memcpy(out + head, key, 4);
    for (size_t i = 0; i < size; i++) out[head + 4 + i] = (uint8_t)('a' ^ key[i & 3]);
    return head + 4 + size;
}

static int open_websocket(int port, const char *path) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (void *)&address, sizeof address)) fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char text[4096];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        path);
    if (write(fd, text, (size_t)size) != size) fail("cannot send the handshake");
    size_t got = 0;
    do {
        ssize_t count = read(fd, text + got, sizeof text - 1 - got);
        if (count <= 0) fail("the handshake was not answered");
        got += (size_t)count;
        text[got] = 0;
    } while (!strstr(text, "\r\n\r\n"));
    if (!strstr(text, " 101 ")) fail("the handshake was refused");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 6) fail("load PORT CONNECTIONS SECONDS SIZE PATH");
    int port = atoi(argv[1]), count = atoi(argv[2]);
    double seconds = atof(argv[3]);
    size_t size = (size_t)atol(argv[4]);
    if (size > BUFFER - 16) fail("SIZE is at most 1 MiB");
    size_t out_size = make_frame(size), in_size = out_size - 4;
    Connection *connections = calloc((size_t)count, sizeof *connections);
    int poll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        connections[i].fd = open_websocket(port, argv[5]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    uint64_t done = 0;
    double begin = now(), end = begin + seconds;
    for (int i = 0; i < count; i++)
        if (write(connections[i].fd, out, out_size) != (ssize_t)out_size) fail("short write");
    while (now() < end) {
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            ssize_t got = read(connection->fd, in, sizeof in);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) fail("a connection was closed");
            connection->got += (size_t)got;
            if (connection->got < in_size) continue;
            connection->got -= in_size;
            done++;
            if (write(connection->fd, out, out_size) != (ssize_t)out_size) fail("short write");
        }
    }
    double taken = now() - begin;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    printf("%.0f %.2f\n", (double)done / taken, cpu / taken);
    return 0;
}
