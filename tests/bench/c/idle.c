/* idle start|poll COUNT SECONDS URL [CA.pem]: so many sources that have received one event and wait for the next. */
#include "idle.h"

#include <eventsource.h>
#include <semaphore.h>

static sem_t arrived;

static void take(void *user_data, const eventsource_event *event) {
    (void)user_data;
    eventsource_kind kind = eventsource_event_kind(event);
    if (kind == EVENTSOURCE_KIND_ERROR) fail(eventsource_event_data(event, NULL));
    if (kind == EVENTSOURCE_KIND_MESSAGE) sem_post(&arrived);
}

static void wake(void *unused) {
    (void)unused;
    sem_post(&arrived);
}

/* Polls all in turn until each has given its message. */
static void poll_all(eventsource **sources, int count) {
    int messages = 0;
    while (messages < count) {
        sem_wait(&arrived);
        for (int i = 0; i < count; i++) {
            const eventsource_event *event;
            while (eventsource_poll(sources[i], &event) == EVENTSOURCE_STATUS_OK) {
                if (eventsource_event_kind(event) == EVENTSOURCE_KIND_ERROR) fail(eventsource_event_data(event, NULL));
                if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) messages++;
            }
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 5) fail("usage: idle start|poll COUNT SECONDS URL [CA.pem]");
    int polled = strcmp(argv[1], "poll") == 0, count = atoi(argv[2]);
    prepare();
    sem_init(&arrived, 0, 0);
    eventsource_config *config;
    if (eventsource_config_new(argv[4], &config) != EVENTSOURCE_STATUS_OK) fail("URL");
    if (argc > 5) {
        static char pem[1 << 16];
        FILE *file = fopen(argv[5], "r");
        size_t len = file ? fread(pem, 1, sizeof pem, file) : 0;
        if (file) fclose(file);
        eventsource_config_set_only_ca_pem(config, (const uint8_t *)pem, len);
    }
    eventsource **sources = calloc((size_t)count, sizeof *sources);
    /* The first pays for what all share, such as tables of ciphers and the allocator's arenas. */
    for (int i = -1; i < count; i++) {
        eventsource *first, **source = i < 0 ? &first : &sources[i];
        if (i == 0) before();
        if (eventsource_new(config, source) != EVENTSOURCE_STATUS_OK) fail(eventsource_config_error(config, NULL));
        if (polled) {
            if (eventsource_start_polled(*source, wake, NULL, NULL) != EVENTSOURCE_STATUS_OK) fail("start_polled");
            if (i < 0) poll_all(source, 1);
        } else {
            eventsource_on(*source, EVENTSOURCE_KIND_ANY, NULL, take, NULL, NULL);
            if (eventsource_start(*source) != EVENTSOURCE_STATUS_OK) fail("start");
            if (i < 0) sem_wait(&arrived);
        }
    }
    if (polled) poll_all(sources, count);
    else for (int i = 0; i < count; i++) sem_wait(&arrived);
    report(atoi(argv[3]));
    _exit(0);
}
