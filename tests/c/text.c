// Texts: embedded NULs, lengths, headers, bodies, and clones that outlive everything.
#include "check.h"

// The next event of that kind.
static const eventsource_event *next(eventsource *source, eventsource_kind kind) {
  const eventsource_event *event = NULL;
  do OK(eventsource_next(source, &event));
  while (eventsource_event_kind(event) != kind);
  return event;
}

#define TEXT(getter, wanted)                                                    \
  do {                                                                          \
    size_t length = SIZE_MAX;                                                   \
    const char *text = getter(event, &length);                                  \
    CHECK(length == sizeof(wanted) - 1);                                        \
    CHECK(memcmp(text, wanted, sizeof(wanted)) == 0); /* the NUL behind it, too */ \
    CHECK(getter(event, NULL) == text);                                         \
  } while (0)

static void message(const eventsource_event *event, const char *url) {
  TEXT(eventsource_event_type, "ty\0pe");
  TEXT(eventsource_event_data, "a\0b\nc\0");
  TEXT(eventsource_event_id, "7");
  SAME(eventsource_event_url(event, NULL), url);
  TEXT(eventsource_event_body, "");
  CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE);
  CHECK(eventsource_event_http_status(event) == 200);
  CHECK(eventsource_event_state(event) == EVENTSOURCE_STATE_OPEN);
  CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_NONE);
  CHECK(eventsource_event_retry_ms(event) == -1);
  CHECK(eventsource_event_header(event, "X-One", NULL) == NULL);
}

static void headers(const eventsource_event *event) {
  size_t len = 0;
  const char *name = NULL, *value = NULL;
  SAME(eventsource_event_header(event, "x-ONE", &len), "first");
  CHECK(len == 5);
  SAME(eventsource_event_header(event, "X-Empty", &len), "");
  CHECK(len == 0);
  SAME(eventsource_event_header(event, "X-Latin", &len), "caf\xef\xbf\xbd");
  CHECK(len == 6);
  len = 7;
  CHECK(eventsource_event_header(event, "X-None", &len) == NULL);
  CHECK(len == 0);
  CHECK(eventsource_event_header(event, "X-On", NULL) == NULL);
  CHECK(eventsource_event_header(event, "", NULL) == NULL);
  CHECK(eventsource_event_header(event, NULL, NULL) == NULL);
  CHECK(eventsource_event_header(event, "\xff", NULL) == NULL);
  size_t index = 0;
  int ones = 0;
  while (eventsource_event_header_at(event, index, &name, &value)) {
    if (strcmp(name, "x-one") == 0) SAME(value, ones++ == 0 ? "first" : "second");
    CHECK(eventsource_event_header_at(event, index, NULL, NULL));
    ++index;
  }
  CHECK(ones == 2);
  CHECK(index >= 4);
  CHECK(name == NULL && value == NULL);
  CHECK(!eventsource_event_header_at(event, SIZE_MAX, &name, &value));
}

static void failure(const eventsource_event *event) {
  CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_HTTP_STATUS);
  CHECK(eventsource_event_http_status(event) == 404);
  CHECK(eventsource_event_retry_ms(event) == -1);
  CHECK(eventsource_event_state(event) == EVENTSOURCE_STATE_CLOSED);
  TEXT(eventsource_event_body, "no\0thing");
  CHECK(strlen(eventsource_event_data(event, NULL)) > 0);
  headers(event);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char url[512];
  snprintf(url, sizeof url, "%s/text", argv[1]);
  eventsource *source = source_for(argv[1], "/text");
  const eventsource_event *event = next(source, EVENTSOURCE_KIND_CONNECT);
  TEXT(eventsource_event_type, "connect");
  TEXT(eventsource_event_data, "");
  event = next(source, EVENTSOURCE_KIND_OPEN);
  headers(event);
  eventsource_event *open = eventsource_event_clone(event);
  event = next(source, EVENTSOURCE_KIND_COMMENT);
  TEXT(eventsource_event_data, " com\0ment");
  event = next(source, EVENTSOURCE_KIND_MESSAGE);
  message(event, url);
  eventsource_event *first = eventsource_event_clone(event);
  eventsource_event *second = eventsource_event_clone(first);
  // A loan is not the caller's to free; should it be tried, nothing happens.
  eventsource_event_free((eventsource_event *)event);
  message(event, url);

  event = next(source, EVENTSOURCE_KIND_MESSAGE);
  size_t len = 0;
  const char *data = eventsource_event_data(event, &len);
  CHECK(len == 1000000 && data[0] == 'x' && data[len - 1] == 'x' && data[len] == '\0' && strlen(data) == len);
  eventsource_event *large = eventsource_event_clone(event);

  event = NULL;
  OK(eventsource_close(source));
  CHECK(eventsource_close(source) == EVENTSOURCE_STATUS_CLOSED);
  OK(eventsource_next(source, &event));
  CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE);
  CHECK(eventsource_next(source, &event) == EVENTSOURCE_STATUS_CLOSED);
  CHECK(event == NULL);
  event = (const eventsource_event *)url;
  CHECK(eventsource_poll(source, &event) == EVENTSOURCE_STATUS_CLOSED);
  CHECK(event == NULL);
  eventsource_free(source);

  headers(open);
  message(first, url);
  eventsource_event_free(first);
  message(second, url);
  eventsource_event_free(second);
  data = eventsource_event_data(large, &len);
  CHECK(len == 1000000 && strlen(data) == len);
  eventsource_event_free(large);
  eventsource_event_free(open);

  source = source_for(argv[1], "/missing");
  event = next(source, EVENTSOURCE_KIND_ERROR);
  failure(event);
  eventsource_event *kept = eventsource_event_clone(event);
  eventsource_release(source);
  failure(kept);
  eventsource_event_free(kept);
  return 0;
}
