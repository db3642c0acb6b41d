/* The load client: N connections to 127.0.0.1, one request after the other on each, and the time that every answer took.
 *
 *     load PORT CONNECTIONS SECONDS RATE SPIN < request
 *
 * RATE 0    a closed loop: the next request goes out when the answer is there; a time runs from sending to the answer's last byte.
 * RATE > 0  an open loop, RATE requests a second evenly spaced over the connections in turn. Request k is due at start + k / RATE,
 *           whatever became of those before it, and its time runs from then: a server that stalls is charged for all that had to wait
 *           meanwhile ("coordinated omission" is what leaving that out is called).
 * SPIN 1    wait without sleeping, where the client has a core to itself: a sleeping client would be woken late and charge the
 *           server for it.
 * SPIN 0    sleep, for who shares a core: with a database, say. In an open loop it then works every TICK only, since waking up for
 *           each answer would take much of that core, and its lateness is not charged to the server: where a connection was free
 *           when its request was due, the time runs from when that was written, and it ends when the kernel had the answer
 *           (SO_TIMESTAMPNS), not when it was read.
 *
 * Prints one line of JSON. Every answer must have the status 200 and end as RFC 9112 section 6 says: Content-Length, or chunked.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#define BUFFER (1 << 20)
#define TICK 500000     /* nanoseconds */

typedef struct {
    int fd;
    int busy;           /* an answer is awaited */
    size_t sent;        /* bytes of the request that are written */
    double due;         /* when the request under way was to be sent */
    double free;        /* when the answer before it was there */
    uint64_t next;      /* open loop: the number of its next request */
    char *buffer;
    size_t filled;
} Connection;

static char request[1 << 16];
static size_t request_size;
static int port, count;
static Connection *connections;
static double rate, begin, end;
static int stamped;         /* the kernel says when an answer came */
static double clocks;       /* its clock's time less ours */
static uint32_t *times;     /* nanoseconds / 100 */
static size_t done, room;
static uint64_t errors;
static char first_error[200];

static double seconds_of(struct timespec t) {
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return seconds_of(t);
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void count_error(const char *what) {
    if (errors++ == 0)
        snprintf(first_error, sizeof first_error, "%s", what);
}

static void open_connection(Connection *c) {
    struct sockaddr_in address = {0};
    int one = 1;
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    c->busy = 0;
    c->free = 0;
    c->filled = 0;
#ifdef SO_TIMESTAMPNS
    if (stamped)
        setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
#endif
}

#ifdef __linux__
static int queue;
static void watch(Connection *c) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl");
}
#else
static void watch(Connection *c) { (void)c; }
#endif

static void again(Connection *c, const char *why) {
    count_error(why);
    close(c->fd);
    open_connection(c);
    watch(c);
}

static void send_request(Connection *c, double due) {
    ssize_t n;
    c->due = stamped && c->free <= due ? now() : due;
    n = write(c->fd, request, request_size);
    c->busy = 1;
    if (n != (ssize_t)request_size)  /* a few hundred bytes into an empty socket: anything else is an error */
        again(c, "the request could not be written");
}

/* The size of a whole answer at the buffer's beginning; 0 where it is not whole, -1 where it is wrong. */
static ssize_t whole(Connection *c) {
    char *b = c->buffer, *head_end, *line, *stop;
    size_t body = 0, at;
    int chunked = 0, framed = 0;
    if (c->filled < 16)
        return 0;
    if (memcmp(b, "HTTP/1.1 200", 12) != 0)
        return -1;
    head_end = memmem(b, c->filled, "\r\n\r\n", 4);
    if (!head_end)
        return 0;
    at = (size_t)(head_end - b) + 4;
    for (line = memchr(b, '\n', at) + 1; line < head_end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(b + at - line));
        if ((*line == 'c' || *line == 'C') && !strncasecmp(line, "content-length:", 15)) {
            body = strtoul(line + 15, NULL, 10);
            framed = 1;
        } else if ((*line == 't' || *line == 'T') && !strncasecmp(line, "transfer-encoding:", 18)) {
            chunked = framed = 1;
        }
    }
    if (!framed)
        return -1;
    if (!chunked)
        return c->filled >= at + body ? (ssize_t)(at + body) : 0;
    for (;;) {
        char *eol = memmem(b + at, c->filled - at, "\r\n", 2);
        size_t size;
        if (!eol)
            return 0;
        size = strtoul(b + at, NULL, 16);
        at = (size_t)(eol - b) + 2 + size + 2;
        if (at > c->filled)
            return 0;
        if (size == 0)
            return (ssize_t)at;
    }
}

#ifdef __linux__
static void sleep_till_tick(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += TICK - t.tv_nsec % TICK;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
#endif

static void record(double seconds) {
    double units = seconds * 1e7;
    if (done == room) {
        room = room ? room * 2 : 1 << 20;
        times = realloc(times, room * sizeof *times);
        if (!times)
            die("realloc");
    }
    times[done++] = units < 0 ? 0 : units > 4e9 ? 4000000000u : (uint32_t)units;
}

/* Read what is there; and when the last of it came, in seconds. */
static ssize_t read_some(Connection *c, double *came) {
    struct iovec place = {.iov_base = c->buffer + c->filled, .iov_len = BUFFER - c->filled};
    char control[256];
    struct msghdr message = {
        .msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = stamped ? sizeof control : 0};
    ssize_t n = recvmsg(c->fd, &message, 0);
    *came = now();
#ifdef SO_TIMESTAMPNS
    if (n > 0 && stamped)
        for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each))
            if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_TIMESTAMPNS) {
                struct timespec t;
                memcpy(&t, CMSG_DATA(each), sizeof t);
                *came = seconds_of(t) - clocks;
            }
#endif
    return n;
}

static void receive(Connection *c) {
    for (;;) {
        ssize_t n, size;
        double t;
        if (c->filled == BUFFER) {
            again(c, "the answer is larger than 1 MiB");
            return;
        }
        n = read_some(c, &t);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            again(c, n ? "the connection broke" : "the server closed the connection");
            return;
        }
        c->filled += (size_t)n;
        size = whole(c);
        if (size < 0) {
            again(c, "an answer other than 200, or without length");
            return;
        }
        if (size > 0) {
            if (!c->busy || (size_t)size != c->filled) {
                again(c, "more was sent than asked for");
                return;
            }
            c->busy = 0;
            c->free = t;
            c->filled = 0;
            if (t <= end)
                record(t - c->due);
            if (rate == 0 && t < end)
                send_request(c, now());
            return;
        }
    }
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double at(double part) {
    size_t i = (size_t)(part * (double)done);
    return done ? (double)times[i < done ? i : done - 1] / 1e7 : 0;
}

int main(int argc, char **argv) {
    double seconds, sum = 0, started, cpu;
    uint64_t k = 0, late = 0;
    int i, spin;
    struct rusage usage;
    if (argc != 6)
        return 2;
    port = atoi(argv[1]);
    count = atoi(argv[2]);
    seconds = atof(argv[3]);
    rate = atof(argv[4]);
    spin = atoi(argv[5]);
    stamped = rate > 0 && !spin;
    {
        double least = 1e9;
        for (i = 0; i < 20; i++) {  /* the two clocks read the closest together: the process may be stopped between */
            struct timespec t;
            double before = now(), after;
            clock_gettime(CLOCK_REALTIME, &t);
            after = now();
            if (after - before < least) {
                least = after - before;
                clocks = seconds_of(t) - (before + after) / 2;
            }
        }
    }
    request_size = fread(request, 1, sizeof request, stdin);
    connections = calloc((size_t)count, sizeof *connections);
#ifdef __linux__
    queue = epoll_create1(0);
#endif
    for (i = 0; i < count; i++) {
        connections[i].buffer = malloc(BUFFER);
        open_connection(&connections[i]);
        watch(&connections[i]);
        connections[i].next = (uint64_t)i;
    }
    started = begin = now();
    end = begin + seconds;
    if (rate == 0)
        for (i = 0; i < count; i++)
            send_request(&connections[i], now());
    for (;;) {
        double t = now();
        int wait;
        if (t >= end)
            break;
        if (rate > 0) {
            /* Request k belongs to connection k % count. Those that are due and whose connection is free go out. */
            uint64_t due = (uint64_t)((t - begin) * rate) + 1;
            if (k + (uint64_t)count < due)
                k = due - (uint64_t)count;
            for (; k < due; k++) {
                Connection *c = &connections[k % (uint64_t)count];
                if (!c->busy && c->next <= k) {
                    double planned = begin + (double)c->next / rate;
                    send_request(c, planned);
                    if (t - planned > 0.001)
                        late++;
                    c->next += (uint64_t)count;
                }
            }
        }
        wait = spin ? 0 : rate > 0 ? 1 : 100;
#ifdef __linux__
        if (stamped) {
            sleep_till_tick();
            wait = 0;
        }
        {
            struct epoll_event events[256];
            int n = epoll_wait(queue, events, 256, wait);
            for (i = 0; i < n; i++) {
                Connection *c = events[i].data.ptr;
                receive(c);
                /* An answer that came late: what was due on this connection meanwhile goes out at once. */
                if (rate > 0 && !c->busy && begin + (double)c->next / rate <= now()) {
                    send_request(c, begin + (double)c->next / rate);
                    c->next += (uint64_t)count;
                    late++;
                }
            }
        }
#else
        {
            struct pollfd polled[1024];
            int n = count < 1024 ? count : 1024;
            for (i = 0; i < n; i++)
                polled[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
            if (poll(polled, (nfds_t)n, wait) > 0)
                for (i = 0; i < n; i++)
                    if (polled[i].revents) {
                        Connection *c = &connections[i];
                        receive(c);
                        if (rate > 0 && !c->busy && begin + (double)c->next / rate <= now()) {
                            send_request(c, begin + (double)c->next / rate);
                            c->next += (uint64_t)count;
                            late++;
                        }
                    }
        }
#endif
    }
    getrusage(RUSAGE_SELF, &usage);
    cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
          1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    /* Open loop: what is still awaited, or was due and never went out, has taken at least until now. */
    if (rate > 0) {
        double t = now();
        for (i = 0; i < count; i++) {
            Connection *c = &connections[i];
            if (c->busy)
                record(t - c->due);
            else if (stamped)
                continue;
            for (; begin + (double)c->next / rate < end; c->next += (uint64_t)count)
                if (t - (begin + (double)c->next / rate) > 1e-3)
                    record(t - (begin + (double)c->next / rate));
        }
    }
    qsort(times, done, sizeof *times, ascending);
    for (size_t j = 0; j < done; j++)
        sum += (double)times[j] / 1e7;
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"errors\": %llu, \"first_error\": \"%s\", \"late\": %llu, "
           "\"mean\": %.9f, \"p50\": %.7f, \"p90\": %.7f, \"p99\": %.7f, \"p999\": %.7f, \"max\": %.7f, \"client_cpu\": %.6f}\n",
           done, end - started, (unsigned long long)errors, first_error, (unsigned long long)late, done ? sum / (double)done : 0,
           at(0.5), at(0.9), at(0.99), at(0.999), done ? (double)times[done - 1] / 1e7 : 0, cpu);
    return 0;
}
