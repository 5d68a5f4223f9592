/* loop: two event streams in one epoll loop, without a thread of the program's own.
 *
 *   cargo build --release
 *   cc examples/loop.c -Iinclude -Ltarget/release -leventsource -o loop
 *   ./loop URL URL
 *
 * Prints each event as 'NUMBER type: data', where NUMBER is 1 or 2. Ends when both streams have ended, or at Ctrl-C, which is one
 * more thing the loop waits for. Linux only; elsewhere take kqueue, or your toolkit's loop. Exit status: 0 both streams ended as
 * their server or Ctrl-C wanted, 1 one failed for good, 2 wrong usage. */
#define _POSIX_C_SOURCE 200809L
#include <eventsource.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

typedef struct {
    int number;
    int epoll;
    int woken; /* an eventfd: the library's thread writes, the loop reads */
    int connection; /* while the loop waits for it, else -1 */
    eventsource *source; /* NULL once it is over */
} stream;

static void fail(int exit_status, const char *what) {
    fprintf(stderr, "loop: %s\n", what);
    exit(exit_status);
}

/* Runs on the library's thread, so it does no more than to end epoll_wait. */
static void wake(void *user_data) {
    uint64_t one = 1;
    ssize_t written = write(((stream *)user_data)->woken, &one, sizeof one);
    (void)written; /* cannot fail short of 2^64 - 1 wake-ups that nobody read */
}

static bool watch(int epoll, int fd, void *tag) {
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = tag};
    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) == 0;
}

/* Runs inside of eventsource_poll and eventsource_free: the connection comes and goes. Without this, and with
 * eventsource_start_polled, all would work as well, but each event would come by way of the library's thread. */
static bool watch_connection(void *user_data, ptrdiff_t descriptor) {
    stream *s = user_data;
    if (s->connection != -1) epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->connection, NULL);
    s->connection = -1;
    if (descriptor == -1) return true;
    if (!watch(s->epoll, (int)descriptor, s)) return false;
    s->connection = (int)descriptor;
    return true;
}

static void begin(stream *s, int number, const char *url, int epoll) {
    eventsource_config *config;
    eventsource_status status = eventsource_config_new(url, &config);
    if (status < 0) fail(2, eventsource_status_text(status));
    status = eventsource_new(config, &s->source);
    eventsource_config_free(config);
    if (status < 0) fail(2, eventsource_status_text(status));

    s->number = number;
    s->epoll = epoll;
    s->connection = -1;
    s->woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!watch(epoll, s->woken, s)) fail(1, "no descriptor to be woken by");
    status = eventsource_start_watched(s->source, wake, watch_connection, s, NULL);
    if (status < 0) fail(1, eventsource_status_text(status));
}

/* Takes the events that are there, then waits for the next wake. Returns the exit status that they mean. */
static int take_events(stream *s) {
    uint64_t count;
    ssize_t got = read(s->woken, &count, sizeof count);
    (void)got; /* nothing there: somebody else has read it */

    /* Not more than a hundred at a time, so that a busy stream leaves the loop time for the other. */
    for (int budget = 100; budget > 0; budget--) {
        const eventsource_event *event;
        switch (eventsource_poll(s->source, &event)) {
        case EVENTSOURCE_STATUS_OK:
            break;
        case EVENTSOURCE_STATUS_AGAIN: /* wake will tell, or the connection */
            return 0;
        default:
            fail(1, "poll");
        }
        size_t len;
        const char *data = eventsource_event_data(event, &len);
        if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) {
            printf("%d %s: ", s->number, eventsource_event_type(event, NULL));
            fwrite(data, 1, len, stdout);
            putchar('\n');
            fflush(stdout);
        } else if (eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE) {
            eventsource_error error = eventsource_event_error(event);
            int failed = error != EVENTSOURCE_ERROR_NONE && error != EVENTSOURCE_ERROR_ENDED;
            if (failed) fprintf(stderr, "loop: %d: %s\n", s->number, data);
            eventsource_free(s->source); /* waits for the thread, which calls no wake any more */
            s->source = NULL;
            close(s->woken);
            return failed;
        }
    }
    wake(s); /* there may be more: come back */
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3) fail(2, "usage: loop URL URL");
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL); /* from now on they are read from a descriptor */

    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int signals = signalfd(-1, &ending, SFD_CLOEXEC);
    if (!watch(epoll, signals, NULL)) fail(1, "no descriptor for signals");
    stream streams[2];
    for (int i = 0; i < 2; i++) begin(&streams[i], i + 1, argv[i + 1], epoll);

    int exit_status = 0;
    while (streams[0].source || streams[1].source) {
        struct epoll_event ready;
        if (epoll_wait(epoll, &ready, 1, -1) < 0) {
            if (errno == EINTR) continue;
            fail(1, "epoll_wait");
        }
        if (ready.data.ptr) {
            exit_status |= take_events(ready.data.ptr);
        } else {
            struct signalfd_siginfo info;
            ssize_t got = read(signals, &info, sizeof info);
            (void)got; /* which one does not matter */
            for (int i = 0; i < 2; i++) {
                if (streams[i].source) eventsource_close(streams[i].source); /* its CLOSE comes by poll, like all events */
            }
        }
    }
    close(signals);
    close(epoll);
    return exit_status;
}
