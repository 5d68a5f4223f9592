// The other unit: this one reads it.
#include <eventsource.h>

int units_follow(eventsource *source);

int units_follow(eventsource *source) {
  const eventsource_event *event = NULL;
  int messages = 0;
  while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK)
    if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) ++messages;
  return messages;
}
