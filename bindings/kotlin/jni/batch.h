/*
 * How events are written down for Java: as many as there are in one piece of memory, which Batch.kt reads by the same numbers.
 */
#ifndef EVENTSOURCE_JNI_BATCH_H
#define EVENTSOURCE_JNI_BATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "eventsource.h"

/* A batch: this head, a record an event with its texts behind it, and at the end, apart from all that, the data of messages
 * and comments, which Java turns into strings at once or keeps to do it later. */
struct head {
  uint32_t index_size; /* how much stands before that data */
  uint32_t size;       /* with it */
  uint32_t url_at, url_len; /* of every message and comment: another URL is another connection's, and so another batch's */
  uint32_t items;           /* how many messages and comments there are */
  uint32_t last_kind;
};
_Static_assert(sizeof(struct head) == 24, "Batch.kt counts on it");

struct span {
  uint32_t at, len;
};

/* Offsets count from the start of the batch, so that a type or an ID that is the one of the event before is not written
 * again; those of messages' and comments' data count back from its end. */
struct record {
  uint32_t size; /* to the next record */
  uint8_t kind, error, state, unused;
  struct span type, id, data;
};
_Static_assert(sizeof(struct record) == 32, "Batch.kt counts on it");

/* What follows the record of anything but a message or a comment. */
struct details {
  struct span url, body;
  uint32_t http_status;
  uint32_t headers; /* pairs of NUL-terminated texts, after the body */
  int64_t retry_ms;
};
_Static_assert(sizeof(struct details) == 32, "Batch.kt counts on it");

struct slice {
  const char *text;
  size_t len;
};

/* A batch as it grows: the index from the room's beginning, data from its end. */
struct batch {
  char *bytes;
  size_t room, index, data;
  struct head head;
  struct span type, id; /* of the last record */
};

/* The texts of one event: what it takes to write it down. */
struct view {
  eventsource_kind kind;
  bool is_item; /* a message or a comment */
  struct slice type, data, id, url, body;
  size_t headers, header_bytes;
};

static inline struct batch batch_in(char *bytes, size_t room) {
  struct batch batch;
  memset(&batch, 0, sizeof batch);
  batch.bytes = bytes;
  batch.room = room;
  return batch;
}

static inline bool is_empty(const struct batch *batch) {
  return batch->index == 0;
}

static inline void look_at_details(struct view *view, const eventsource_event *event) {
  const char *name, *value;
  view->body.text = eventsource_event_body(event, &view->body.len);
  while (eventsource_event_header_at(event, view->headers, &name, &value)) {
    view->header_bytes += strlen(name) + strlen(value) + 2;
    view->headers++;
  }
}

/* Asks a message for no more than it takes: this runs for each of millions. */
static inline void look_at(struct view *view, const struct batch *batch, const eventsource_event *event) {
  view->kind = eventsource_event_kind(event);
  view->is_item = view->kind == EVENTSOURCE_KIND_MESSAGE || view->kind == EVENTSOURCE_KIND_COMMENT;
  view->type.text = eventsource_event_type(event, &view->type.len);
  view->data.text = eventsource_event_data(event, &view->data.len);
  view->id.text = eventsource_event_id(event, &view->id.len);
  view->url.text = view->body.text = "";
  view->url.len = view->body.len = view->headers = view->header_bytes = 0;
  if (!view->is_item || is_empty(batch)) view->url.text = eventsource_event_url(event, &view->url.len);
  if (view->kind == EVENTSOURCE_KIND_OPEN || view->kind == EVENTSOURCE_KIND_ERROR) look_at_details(view, event);
}

/* At most, because a text that repeats the last one takes no room. */
static inline size_t size_of_view(const struct view *view) {
  /* 16: records begin at multiples of 8, the first one too */
  size_t size = sizeof(struct head) + sizeof(struct record) + view->type.len + view->data.len + view->id.len + view->url.len + 16;
  return view->is_item ? size : size + sizeof(struct details) + view->body.len + view->header_bytes;
}

static inline bool fits(const struct batch *batch, size_t size) {
  return size <= batch->room - batch->index - batch->data;
}

static inline struct span put(struct batch *batch, struct slice slice) {
  struct span span = {(uint32_t)batch->index, (uint32_t)slice.len};
  memcpy(batch->bytes + batch->index, slice.text, slice.len);
  batch->index += slice.len;
  return span;
}

/* "message", which is what nearly all are compared with, takes no call. */
static inline bool is_same(const char *a, const char *b, size_t len) {
  uint32_t first[2], last[2];
  if (len < 4 || len > 8) return len == 0 || memcmp(a, b, len) == 0;
  memcpy(&first[0], a, 4);
  memcpy(&first[1], b, 4);
  memcpy(&last[0], a + len - 4, 4);
  memcpy(&last[1], b + len - 4, 4);
  return first[0] == first[1] && last[0] == last[1];
}

/* Like put, but a text that stands in the batch already is only pointed at. */
static inline struct span put_once(struct batch *batch, struct slice slice, struct span last) {
  return slice.len == last.len && is_same(batch->bytes + last.at, slice.text, slice.len) ? last : put(batch, slice);
}

static inline struct span put_data(struct batch *batch, struct slice slice) {
  batch->data += slice.len;
  memcpy(batch->bytes + batch->room - batch->data, slice.text, slice.len);
  batch->head.items++;
  return (struct span){(uint32_t)batch->data, (uint32_t)slice.len};
}

static inline void write_details(struct batch *batch, size_t at, const eventsource_event *event, const struct view *view) {
  struct details details;
  details.http_status = eventsource_event_http_status(event);
  details.retry_ms = eventsource_event_retry_ms(event);
  details.headers = (uint32_t)view->headers;
  details.url = put_once(batch, view->url, (struct span){batch->head.url_at, batch->head.url_len});
  details.body = put(batch, view->body);
  for (size_t i = 0; i < view->headers; i++) {
    const char *name, *value;
    if (!eventsource_event_header_at(event, i, &name, &value)) break;
    put(batch, (struct slice){name, strlen(name) + 1});
    put(batch, (struct slice){value, strlen(value) + 1});
  }
  memcpy(batch->bytes + at, &details, sizeof details);
}

static inline void begin(struct batch *batch, struct slice url) {
  batch->index = sizeof(struct head);
  struct span span = put(batch, url);
  batch->head.url_at = span.at;
  batch->head.url_len = span.len;
}

static inline void pad(struct batch *batch) {
  while (batch->index % 8 != 0) batch->bytes[batch->index++] = 0;
}

/* Member by member: a record put together elsewhere and copied as a whole would have to wait for its parts. */
static inline void set_span(char *at, struct span span) {
  memcpy(at, &span, sizeof span);
}

static inline void write_down(struct batch *batch, const eventsource_event *event, const struct view *view) {
  if (is_empty(batch)) {
    begin(batch, view->url);
    pad(batch);
  }
  size_t start = batch->index;
  char *record = batch->bytes + start;
  uint8_t kinds[4] = {(uint8_t)view->kind, 0, 0, 0}; /* kind, error, state, unused */
  batch->index += view->is_item ? sizeof(struct record) : sizeof(struct record) + sizeof(struct details);
  batch->type = put_once(batch, view->type, batch->type);
  batch->id = put_once(batch, view->id, batch->id);
  set_span(record + offsetof(struct record, type), batch->type);
  set_span(record + offsetof(struct record, id), batch->id);
  if (view->is_item) {
    set_span(record + offsetof(struct record, data), put_data(batch, view->data));
  } else {
    kinds[1] = (uint8_t)eventsource_event_error(event);
    kinds[2] = (uint8_t)eventsource_event_state(event);
    set_span(record + offsetof(struct record, data), put(batch, view->data));
    write_details(batch, start + sizeof(struct record), event, view);
  }
  pad(batch);
  uint32_t size = (uint32_t)(batch->index - start);
  memcpy(record + offsetof(struct record, size), &size, sizeof size);
  memcpy(record + offsetof(struct record, kind), kinds, sizeof kinds);
  batch->head.last_kind = (uint32_t)view->kind;
}
#endif
