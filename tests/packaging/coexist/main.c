// One program with two Rust libraries: both work, panic in one, errors in the other.
#include <eventsource.h>
#include <stdio.h>
#include <string.h>

int second_run(void);

int main(void) {
    eventsource_config *config;
    eventsource *source;
    const eventsource_event *event;
    if (second_run() != 42) return 1;
    // Nobody listens at port 1, so the source has a connection refused and gives up.
    if (eventsource_config_new("http://127.0.0.1:1/", &config) != EVENTSOURCE_STATUS_OK) return 2;
    eventsource_config_set_max_retries(config, 0);
    if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) return 3;
    eventsource_config_free(config);
    int error = EVENTSOURCE_ERROR_NONE;
    while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK)
        if (eventsource_event_kind(event) == EVENTSOURCE_KIND_ERROR) error = eventsource_event_error(event);
    eventsource_free(source);
    if (error != EVENTSOURCE_ERROR_CONNECT) return 4;
    if (second_run() != 42) return 5;
    puts("both work");
    return 0;
}
