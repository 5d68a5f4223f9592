/* ours start|run|next|poll|each|watch stream|ages URL [CA.pem]: one stream through the C API, to its end, in that driver. */
#include "measure.h"

#include <eventsource.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "ours: %s\n", what);
    exit(1);
}

static void take(const eventsource_event *event) {
    size_t len;
    const char *data = eventsource_event_data(event, &len);
    switch (eventsource_event_kind(event)) {
    case EVENTSOURCE_KIND_MESSAGE: count(data, len); break;
    case EVENTSOURCE_KIND_ERROR: fail(data);
    default: break;
    }
}

static void on_message(void *user_data, const eventsource_event *event) {
    (void)user_data;
    size_t len;
    const char *data = eventsource_event_data(event, &len);
    count(data, len);
}

static bool each(void *user_data, const eventsource_event *event) {
    (void)user_data;
    take(event);
    return true;
}

static void on_error(void *user_data, const eventsource_event *event) {
    (void)user_data;
    fail(eventsource_event_data(event, NULL));
}

static void over(void *semaphore) { sem_post(semaphore); }

static void wake(void *fd) {
    if (eventfd_write(*(int *)fd, 1) != 0) fail("eventfd");
}

/* What epoll waits for besides wake's descriptor. */
static bool watch(void *epoll, ptrdiff_t descriptor) {
    static int watched = -1;
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = (int)descriptor};
    if (watched != -1) epoll_ctl(*(int *)epoll, EPOLL_CTL_DEL, watched, NULL);
    watched = (int)descriptor;
    return descriptor == -1 || epoll_ctl(*(int *)epoll, EPOLL_CTL_ADD, watched, &interest) == 0;
}

static bool watch_with(void *fds, ptrdiff_t descriptor) { return watch((int *)fds + 1, descriptor); }

static void add_ca(eventsource_config *config, const char *path) {
    static char pem[1 << 16];
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    size_t len = fread(pem, 1, sizeof pem, file);
    fclose(file);
    eventsource_config_set_only_ca_pem(config, (const uint8_t *)pem, len);
}

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: ours start|run|next|poll|each|watch stream|ages URL [CA.pem]");
    const char *driver = argv[1];
    begin(strcmp(argv[2], "ages") == 0);
    eventsource_config *config;
    eventsource *source;
    const eventsource_event *event;
    if (eventsource_config_new(argv[3], &config) != EVENTSOURCE_STATUS_OK) fail("URL");
    eventsource_config_set_reconnect(config, EVENTSOURCE_RECONNECT_NEVER);
    if (argc > 4) add_ca(config, argv[4]);
    if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) fail(eventsource_config_error(config, NULL));
    eventsource_config_free(config);

    if (strcmp(driver, "next") == 0) {
        while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) take(event);
    } else if (strcmp(driver, "watch") == 0) {
        int fds[2] = {eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), epoll_create1(EPOLL_CLOEXEC)};
        eventsource_status status = EVENTSOURCE_STATUS_OK;
        struct epoll_event ready = {.events = EPOLLIN, .data.fd = fds[0]};
        epoll_ctl(fds[1], EPOLL_CTL_ADD, fds[0], &ready);
        if (eventsource_start_watched(source, wake, watch_with, fds, NULL) != EVENTSOURCE_STATUS_OK) fail("start_watched");
        while (status != EVENTSOURCE_STATUS_CLOSED && epoll_wait(fds[1], &ready, 1, -1) == 1) {
            eventfd_t n;
            if (ready.data.fd == fds[0]) eventfd_read(fds[0], &n);
            status = eventsource_poll_each(source, each, NULL);
        }
    } else if (strcmp(driver, "poll") == 0 || strcmp(driver, "each") == 0) {
        bool one_by_one = strcmp(driver, "poll") == 0;
        int fd = eventfd(0, EFD_CLOEXEC);
        eventfd_t n;
        eventsource_status status = EVENTSOURCE_STATUS_OK;
        if (eventsource_start_polled(source, wake, &fd, NULL) != EVENTSOURCE_STATUS_OK) fail("start_polled");
        while (status != EVENTSOURCE_STATUS_CLOSED && eventfd_read(fd, &n) == 0) {
            if (one_by_one) {
                while ((status = eventsource_poll(source, &event)) == EVENTSOURCE_STATUS_OK) take(event);
            } else {
                status = eventsource_poll_each(source, each, NULL);
            }
        }
    } else {
        eventsource_on(source, EVENTSOURCE_KIND_MESSAGE, NULL, on_message, NULL, NULL);
        sem_t ended;
        sem_init(&ended, 0, 0);
        eventsource_on(source, EVENTSOURCE_KIND_ERROR, NULL, on_error, &ended, over);
        if (strcmp(driver, "run") == 0) {
            eventsource_run(source);
        } else {
            eventsource_start(source);
            sem_wait(&ended);
        }
    }
    eventsource_free(source);
    return report();
}
