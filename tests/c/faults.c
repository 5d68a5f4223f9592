// Mistakes that the sanitizers must find: the proof that the other programs run under them.
#include "check.h"
#include <limits.h>
#include <unistd.h>

static int shared, called;

static void on_event(void *user_data, const eventsource_event *event) {
  (void)event;
  ++*(int *)user_data;
  __atomic_store_n(&called, 1, __ATOMIC_RELAXED); // which puts nothing in order
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  volatile int number = argc;
  if (strcmp(argv[2], "overflow") == 0) {
    volatile char *small = malloc((size_t)number);
    small[number] = 1;
    free((void *)small);
  } else if (strcmp(argv[2], "undefined") == 0) {
    number = INT_MAX;
    number += argc;
  } else if (strcmp(argv[2], "leak") == 0) {
    // Memory of the library's, which the linked program's allocator accounts for.
    config_for(argv[1], "/once");
  } else if (strcmp(argv[2], "used after free") == 0) {
    eventsource *source = source_for(argv[1], "/once");
    const eventsource_event *event = NULL;
    OK(eventsource_next(source, &event));
    eventsource_event *kept = eventsource_event_clone(event);
    const char *text = eventsource_event_type(kept, NULL);
    eventsource_event_free(kept);
    number = text[0];
    eventsource_free(source);
  } else if (strcmp(argv[2], "race") == 0) {
    // Touched here and on the library's thread, with nothing between them.
    eventsource *source = source_for(argv[1], "/once");
    OK(eventsource_on(source, EVENTSOURCE_KIND_ANY, NULL, on_event, &shared, NULL));
    OK(eventsource_start(source));
    for (int i = 0; i < 30000 && !__atomic_load_n(&called, __ATOMIC_RELAXED); i++) {
      ++shared;
      usleep(1000);
    }
    ++shared;
    eventsource_free(source);
  }
  return 0;
}
