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

/* What every event has. */
struct texts {
  struct slice type, id, data;
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

/* A message or a comment. */
static inline bool is_item(eventsource_kind kind) {
  return kind == EVENTSOURCE_KIND_MESSAGE || kind == EVENTSOURCE_KIND_COMMENT;
}

static inline struct slice url_of(const eventsource_event *event) {
  struct slice url;
  url.text = eventsource_event_url(event, &url.len);
  return url;
}

static inline struct texts texts_of(const eventsource_event *event) {
  struct texts texts;
  texts.data.text = eventsource_event_data(event, &texts.data.len);
  texts.type.text = eventsource_event_type(event, &texts.type.len);
  texts.id.text = eventsource_event_id(event, &texts.id.len);
  return texts;
}

/* At most: a type or an ID that is the one of the event before takes no room. */
static inline size_t size_of_event(const eventsource_event *event) {
  struct texts texts = texts_of(event);
  /* 8: the next record begins at a multiple of that */
  size_t size = sizeof(struct record) + texts.type.len + texts.data.len + texts.id.len + 8;
  if (is_item(eventsource_event_kind(event))) return size;
  size_t body = 0;
  const char *name, *value;
  eventsource_event_body(event, &body);
  for (size_t i = 0; eventsource_event_header_at(event, i, &name, &value); i++) size += strlen(name) + strlen(value) + 2;
  return size + sizeof(struct details) + url_of(event).len + body;
}

/* How much room a batch needs that has only this event. */
static inline size_t size_alone(const eventsource_event *event) {
  return sizeof(struct head) + url_of(event).len + 8 + size_of_event(event);
}

static inline size_t room_left(const struct batch *batch) {
  return batch->room - batch->index - batch->data;
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

static inline void write_details(struct batch *batch, size_t at, const eventsource_event *event) {
  struct details details;
  struct slice body;
  const char *name, *value;
  body.text = eventsource_event_body(event, &body.len);
  details.http_status = eventsource_event_http_status(event);
  details.retry_ms = eventsource_event_retry_ms(event);
  details.url = put_once(batch, url_of(event), (struct span){batch->head.url_at, batch->head.url_len});
  details.body = put(batch, body);
  for (details.headers = 0; eventsource_event_header_at(event, details.headers, &name, &value); details.headers++) {
    put(batch, (struct slice){name, strlen(name) + 1});
    put(batch, (struct slice){value, strlen(value) + 1});
  }
  memcpy(batch->bytes + at, &details, sizeof details);
}

static inline void pad(struct batch *batch) {
  while (batch->index % 8 != 0) batch->bytes[batch->index++] = 0;
}

/* With an event that is to follow. False: there is no room for both. */
static inline bool begin(struct batch *batch, const eventsource_event *event) {
  if (size_alone(event) > batch->room) return false;
  batch->index = sizeof(struct head);
  struct span url = put(batch, url_of(event));
  batch->head.url_at = url.at;
  batch->head.url_len = url.len;
  pad(batch);
  return true;
}

/* Member by member: a record put together elsewhere and copied as a whole would have to wait for its parts. */
static inline void set_span(char *at, struct span span) {
  memcpy(at, &span, sizeof span);
}

static inline char *begin_record(struct batch *batch, const struct texts *texts, size_t size) {
  char *record = batch->bytes + batch->index;
  batch->index += size;
  batch->type = put_once(batch, texts->type, batch->type);
  batch->id = put_once(batch, texts->id, batch->id);
  set_span(record + offsetof(struct record, type), batch->type);
  set_span(record + offsetof(struct record, id), batch->id);
  return record;
}

static inline void end_record(struct batch *batch, char *record, eventsource_kind kind, uint8_t error, uint8_t state) {
  uint8_t kinds[4] = {(uint8_t)kind, error, state, 0};
  pad(batch);
  uint32_t size = (uint32_t)(batch->bytes + batch->index - record);
  memcpy(record + offsetof(struct record, size), &size, sizeof size);
  memcpy(record + offsetof(struct record, kind), kinds, sizeof kinds);
  batch->head.last_kind = (uint32_t)kind;
}

/* A message or a comment, into a batch that has begun. This runs for each of millions, so it asks for no more than it takes.
 * False: there is no room for it. */
static inline bool add_item(struct batch *batch, const eventsource_event *event, eventsource_kind kind) {
  struct texts texts = texts_of(event);
  size_t left = room_left(batch), most = sizeof(struct record) + 8; /* as size_of_event, of which the sum cannot overflow */
  if (left < most || texts.data.len > left - most || texts.type.len > left - most - texts.data.len ||
      texts.id.len > left - most - texts.data.len - texts.type.len)
    return false;
  char *record = begin_record(batch, &texts, sizeof(struct record));
  set_span(record + offsetof(struct record, data), put_data(batch, texts.data));
  end_record(batch, record, kind, 0, 0);
  return true;
}

/* Any other event, likewise. */
static inline bool add_other(struct batch *batch, const eventsource_event *event, eventsource_kind kind) {
  if (size_of_event(event) > room_left(batch)) return false;
  struct texts texts = texts_of(event);
  char *record = begin_record(batch, &texts, sizeof(struct record) + sizeof(struct details));
  set_span(record + offsetof(struct record, data), put(batch, texts.data));
  write_details(batch, (size_t)(record - batch->bytes) + sizeof(struct record), event);
  end_record(batch, record, kind, (uint8_t)eventsource_event_error(event), (uint8_t)eventsource_event_state(event));
  return true;
}

static inline bool add_event(struct batch *batch, const eventsource_event *event, eventsource_kind kind) {
  if (is_empty(batch) && !begin(batch, event)) return false;
  return is_item(kind) ? add_item(batch, event, kind) : add_other(batch, event, kind);
}
#endif
