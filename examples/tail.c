/* tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
 *
 *   cargo build --release
 *   cc examples/tail.c -Iinclude -Ltarget/release -leventsource -o tail
 *   ./tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
 *
 * Each event is a line 'type: data' on stdout. With -v, what happens around the events is told on stderr: attempts, comments,
 * errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong usage. */
#define _POSIX_C_SOURCE 200809L
#include <eventsource.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sigset_t ending; /* the signals that end the program; blocked in every thread, so that only sigwait sees them */

static void fail(int exit_status, const char *what, const char *why) {
    fprintf(stderr, "tail: %s%s%s\n", what, *why ? ": " : "", why);
    exit(exit_status);
}

/* Nothing of the library may be called in a signal handler, close included. A thread that waits for the signal may. */
static void *close_on_signal(void *source) {
    int signal;
    sigwait(&ending, &signal);
    eventsource_close(source);
    return NULL;
}

/* 'Name: value'. What is wrong with it, the config remembers. */
static void set_header(eventsource_config *config, char *header) {
    char *colon = strchr(header, ':');
    if (colon == NULL) fail(2, "a header is 'Name: value', not", header);
    *colon = '\0';
    char *value = colon + 1;
    eventsource_config_set_header(config, header, value + strspn(value, " "));
}

/* The options, read into a source. */
static eventsource *source_from(int argc, char **argv, bool *verbose) {
    static const char usage[] = "usage: tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL";
    char *headers[64];
    size_t header_count = 0;
    const char *method = NULL, *body = NULL;
    for (int option; (option = getopt(argc, argv, "vH:X:d:")) != -1;) {
        switch (option) {
        case 'v': *verbose = true; break;
        case 'H':
            if (header_count == sizeof headers / sizeof *headers) fail(2, "too many headers", "");
            headers[header_count++] = optarg;
            break;
        case 'X': method = optarg; break;
        case 'd': body = optarg; break;
        default: fail(2, usage, "");
        }
    }
    if (optind + 1 != argc) fail(2, usage, "");

    eventsource_config *config;
    eventsource_status status = eventsource_config_new(argv[optind], &config);
    if (status < 0) fail(2, argv[optind], eventsource_status_text(status));
    for (size_t i = 0; i < header_count; i++) set_header(config, headers[i]);
    if (method) eventsource_config_set_method(config, method);
    if (body) eventsource_config_set_body(config, (const uint8_t *)body, strlen(body));

    /* No setter's status was looked at: eventsource_new answers with that of the first that was refused. */
    eventsource *source;
    status = eventsource_new(config, &source);
    if (status < 0) fail(2, eventsource_status_text(status), eventsource_config_error(config, NULL));
    eventsource_config_free(config);
    return source;
}

/* The exit status that this event means, which counts if it is the last. */
static int print_event(const eventsource_event *event, bool verbose) {
    size_t type_len, data_len;
    const char *type = eventsource_event_type(event, &type_len);
    const char *data = eventsource_event_data(event, &data_len); /* of a comment the text, of errors the reason */
    const char *id = eventsource_event_id(event, NULL);
    int64_t retry_ms = eventsource_event_retry_ms(event);

    switch (eventsource_event_kind(event)) {
    case EVENTSOURCE_KIND_MESSAGE: /* may hold NULs: lengths, not strings */
        fwrite(type, 1, type_len, stdout);
        fputs(": ", stdout);
        fwrite(data, 1, data_len, stdout);
        putchar('\n');
        fflush(stdout);
        break;
    case EVENTSOURCE_KIND_CONNECT:
        if (verbose) fprintf(stderr, "* connect %s%s%s\n", eventsource_event_url(event, NULL), *id ? " after " : "", id);
        break;
    case EVENTSOURCE_KIND_OPEN:
        if (verbose) fprintf(stderr, "* open %s\n", eventsource_event_url(event, NULL));
        break;
    case EVENTSOURCE_KIND_COMMENT:
        if (verbose) fprintf(stderr, ":%s\n", data);
        break;
    case EVENTSOURCE_KIND_ERROR:
        if (verbose && retry_ms >= 0) fprintf(stderr, "* error: %s; trying again in %" PRId64 " ms\n", data, retry_ms);
        else if (verbose) fprintf(stderr, "* error: %s\n", data);
        break;
    case EVENTSOURCE_KIND_CLOSE:
        if (verbose) fprintf(stderr, "* close: %s\n", data);
        switch (eventsource_event_error(event)) {
        case EVENTSOURCE_ERROR_NONE:    /* we asked for it */
        case EVENTSOURCE_ERROR_ENDED:   /* the server did */
            return 0;
        default:
            fprintf(stderr, "tail: %s\n", data);
            return 1;
        }
    default: /* a kind that a later version may add */
        break;
    }
    return 0;
}

int main(int argc, char **argv) {
    bool verbose = false;
    eventsource *source = source_from(argc, argv, &verbose);

    pthread_t waiter;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    if (pthread_create(&waiter, NULL, close_on_signal, source) != 0) fail(1, "no thread", "");

    int exit_status = 0;
    const eventsource_event *event;
    eventsource_status status;
    while ((status = eventsource_next(source, &event)) == EVENTSOURCE_STATUS_OK) exit_status = print_event(event, verbose);
    if (status < 0) fail(1, "next", eventsource_status_text(status));

    pthread_kill(waiter, SIGTERM); /* where no signal came, the thread still waits for one */
    pthread_join(waiter, NULL);
    eventsource_free(source); /* only now: nothing may call close any more */
    return exit_status;
}
