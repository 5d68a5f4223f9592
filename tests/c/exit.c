// The process ends while sources run, each driven in another way; nobody has freed anything.
#include "check.h"

static int events;

static void on_event(void *user_data, const eventsource_event *event) {
  const char *how = user_data;
  count(&events);
  if (strcmp(how, "exit in a callback") == 0 && eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) exit(0);
}

static void wake(void *user_data) {
  (void)user_data;
  count(&events);
}

static eventsource *streaming, *polled, *stalled;

int main(int argc, char **argv) {
  CHECK(argc == 3);
  streaming = source_for(argv[1], "/flood");
  OK(eventsource_on(streaming, EVENTSOURCE_KIND_ANY, NULL, on_event, argv[2], NULL));
  OK(eventsource_start(streaming));
  polled = source_for(argv[1], "/flood");
  OK(eventsource_start_polled(polled, wake, NULL, NULL));
  stalled = source_for(argv[1], "/silent");
  OK(eventsource_on(stalled, EVENTSOURCE_KIND_ANY, NULL, on_event, argv[2], NULL));
  OK(eventsource_start(stalled));
  // In a callback: the flood brings a message soon, and this thread must not be first.
  wait_for(&events, strcmp(argv[2], "exit in a callback") == 0 ? 1 << 30 : 50);
  return 0;
}
