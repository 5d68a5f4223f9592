// The native half of the package: one handle for each source, uv_async for the wake, and events in bursts.
//
// Everything runs on the thread of the environment but `wake` and `over`, which the library calls on its own thread;
// all they do is uv_async_send. Nothing here is shared between environments, so the addon may be loaded many times.

#define NAPI_VERSION 8
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // dladdr
#endif
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "eventsource.h"

typedef struct {
  // Two asyncs, so that nothing needs a lock: `wake` says that poll has something, `over` is the library's last word.
  // libuv lets a handle be closed in its own callback while the send that caused it is still on its way out.
  uv_async_t wake, over;
  uv_poll_t *watched;  // the connection, while the loop waits for it; frees itself when it is closed
  eventsource *source;  // NULL once released
  napi_env env;
  napi_ref turn;  // the JavaScript function that a wake calls; holds the EventSource while it is not closed
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  int closing;     // asyncs not closed yet
  int holders;     // of this struct: the JavaScript object and the loop
  bool again;      // in this turn the library has said that there is nothing more
  bool done;       // `over` has come
  bool ended;      // JavaScript has seen CLOSE
  bool cleaning;   // the environment goes away
  char type[64];   // what JavaScript took last from a message, not to make it anew for each
  char id[64];
  size_t type_len, id_len;  // SIZE_MAX: longer than the array, unknown
} handle;

// When a burst is full. A slice keeps the whole string alive, so that is soon; larger texts get strings of their own, and
// what came last still has room.
enum { BURST_BYTES = 16384, BURST_ROOM = 2 * BURST_BYTES, BURST_EVENTS = 256, BURST_OWN_BYTES = 65536 };

// The index array of a burst, written here, read in source.js: a head, then three lengths for each message.
enum { HEAD_COUNT, HEAD_STATUS, HEAD_KIND, HEAD_STATE, HEAD_ERROR, HEAD_HTTP, HEAD_SIZE = 8, RECORD_SIZE = 3 };
// Lengths below zero: as the message before; a string of its own; this record is a comment.
enum { SAME = -1, OWN = -2, COMMENT = -3 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// ---- life and death of a handle

static void wake(void *data) { uv_async_send(&((handle *)data)->wake); }

static void over(void *data) { uv_async_send(&((handle *)data)->over); }

static void drop(handle *h) {
  if (--h->holders == 0) free(h);
}

static void on_closed(uv_handle_t *closed) {
  handle *h = closed->data;
  if (--h->closing > 0) return;
  napi_remove_async_cleanup_hook(h->hook);
  drop(h);
}

static void shut(handle *h) {
  uv_close((uv_handle_t *)&h->wake, on_closed);
  uv_close((uv_handle_t *)&h->over, on_closed);
}

// The library's thread is done: as soon as CLOSE has been polled, which JavaScript may not have handed out yet.
static void on_over(uv_async_t *async) {
  handle *h = async->data;
  h->done = true;
  if (h->source == NULL) shut(h);
}

// Never waits: if the library's thread is not done, the rest happens when it is. Twice is fine.
static void let_go(handle *h) {
  if (h->source == NULL) return;
  eventsource_release(h->source);
  h->source = NULL;
  uv_unref((uv_handle_t *)&h->wake);
  napi_delete_reference(h->env, h->turn);
  napi_async_destroy(h->env, h->context);
  if (h->done) shut(h);
}

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  handle *h = data;
  h->cleaning = true;
  let_go(h);
  // A loop without a referenced handle would not run, and then `over` would never arrive.
  if (!uv_is_closing((uv_handle_t *)&h->over)) uv_ref((uv_handle_t *)&h->over);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  let_go(data);
  drop(data);
}

static void take_turn(handle *h) {
  if (h->source == NULL || h->cleaning) return;
  napi_env env = h->env;
  napi_handle_scope scope;
  napi_value turn, global, error;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  h->again = false;
  if (napi_get_reference_value(env, h->turn, &turn) == napi_ok && napi_get_global(env, &global) == napi_ok) {
    // Fails where JavaScript may not run any more (a worker being terminated): then nobody is left to tell.
    if (napi_make_callback(env, h->context, global, turn, 0, NULL, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  if (h->ended) let_go(h);
  // Whoever has not polled to the end waits for something else, and readable it stays.
  if (h->watched != NULL && !h->again) uv_poll_stop(h->watched);
  napi_close_handle_scope(env, scope);
}

static void on_wake(uv_async_t *async) { take_turn(async->data); }

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;  // what is wrong with the connection the library finds out itself
  if (poll->data != NULL) take_turn(poll->data);
}

static void on_poll_closed(uv_handle_t *closed) { free(closed); }

// Called by the library on this thread, in poll and in release.
static bool watch(void *data, ptrdiff_t descriptor) {
  handle *h = data;
  if (h->watched != NULL) {
    h->watched->data = NULL;
    uv_close((uv_handle_t *)h->watched, on_poll_closed);
    h->watched = NULL;
  }
  if (descriptor == -1) return true;
  uv_poll_t *poll = malloc(sizeof *poll);
  if (poll == NULL) return false;
  if (uv_poll_init_socket(h->wake.loop, poll, (uv_os_sock_t)descriptor) != 0) {
    free(poll);
    return false;
  }
  poll->data = h;
  h->watched = poll;
  uv_unref((uv_handle_t *)poll);  // `wake` is what keeps the process alive
  if (uv_poll_start(poll, UV_READABLE, on_readable) == 0) return true;
  watch(h, -1);
  return false;
}

// ---- values

static napi_value throw_error(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return NULL;
}

static napi_value make_text(napi_env env, const char *text, size_t len) {
  napi_value value = NULL;
  napi_create_string_utf8(env, text, len, &value);
  return value;
}

static napi_value make_number(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

// NULL if it is no string, holds a NUL (C would cut it there), or there is no memory. Free it.
static char *take_text(napi_env env, napi_value value) {
  size_t len;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok) return NULL;
  char *text = malloc(len + 1);
  if (text == NULL) return NULL;
  napi_get_value_string_utf8(env, value, text, len + 1, &len);
  if (strlen(text) == len) return text;
  free(text);
  return NULL;
}

// NULL where open gave none: JavaScript runs on for a moment in a worker that is being terminated.
static handle *take_handle(napi_env env, napi_callback_info info, size_t count, napi_value *args) {
  void *data = NULL;
  size_t given = count;
  napi_get_cb_info(env, info, &given, args, NULL, NULL);
  napi_get_value_external(env, args[0], &data);
  return data;
}

// NULL once it is released.
static eventsource *source_of(const handle *h) { return h == NULL ? NULL : h->source; }

// ---- options

static eventsource_status set_max_retries(eventsource_config *config, uint64_t count) {
  return eventsource_config_set_max_retries(config, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

static eventsource_status set_reconnect(eventsource_config *config, uint64_t mode) {
  return eventsource_config_set_reconnect(config, (int)mode);
}

static eventsource_status set_max_event_size(eventsource_config *config, uint64_t bytes) {
  return eventsource_config_set_max_event_size(config, bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
}

static eventsource_status set_proxy(eventsource_config *config, const char *url) {
  return strcmp(url, "env") == 0 ? eventsource_config_set_proxy_from_env(config) : eventsource_config_set_proxy(config, url);
}

// Named as the options of the class are, so that an error can say which one it was. One setter in each row.
static const struct {
  const char *name;
  eventsource_status (*pair)(eventsource_config *, const char *, const char *);
  eventsource_status (*text)(eventsource_config *, const char *);
  eventsource_status (*bytes)(eventsource_config *, const uint8_t *, size_t);
  eventsource_status (*number)(eventsource_config *, uint64_t);
  eventsource_status (*span)(eventsource_config *, uint64_t, uint64_t);
  eventsource_status (*flag)(eventsource_config *, bool);
} SETTERS[] = {
    {"headers", .pair = eventsource_config_set_header},
    {"secretHeaders", .pair = eventsource_config_set_secret_header},
    {"method", .text = eventsource_config_set_method},
    {"body", .bytes = eventsource_config_set_body},
    {"lastEventId", .text = eventsource_config_set_last_event_id},
    {"connectTimeout", .number = eventsource_config_set_connect_timeout},
    {"responseTimeout", .number = eventsource_config_set_response_timeout},
    {"idleTimeout", .number = eventsource_config_set_idle_timeout},
    {"keepAlive", .number = eventsource_config_set_keepalive},
    {"retry", .span = eventsource_config_set_retry},
    {"retry.retries", .number = set_max_retries},
    {"reconnect", .number = set_reconnect},
    {"standardStatus", .flag = eventsource_config_set_standard_status},
    {"maxEventSize", .number = set_max_event_size},
    {"compression", .flag = eventsource_config_set_compression},
    {"httpsOnly", .flag = eventsource_config_set_https_only},
    {"proxy", .text = set_proxy},
    {"tls.ca", .bytes = eventsource_config_add_ca_pem},
    {"tls.onlyCa", .bytes = eventsource_config_set_only_ca_pem},
    {"tls.cert", .bytes = eventsource_config_set_identity_pem},
    {"tls.pins", .text = eventsource_config_add_pin},
};

static eventsource_status apply(napi_env env, eventsource_config *config, size_t row, napi_value a, napi_value b) {
  eventsource_status status = EVENTSOURCE_STATUS_INVALID_ARGUMENT;
  if (SETTERS[row].pair != NULL || SETTERS[row].text != NULL) {
    char *first = take_text(env, a), *second = SETTERS[row].pair != NULL ? take_text(env, b) : NULL;
    if (first != NULL && SETTERS[row].text != NULL) status = SETTERS[row].text(config, first);
    if (first != NULL && second != NULL) status = SETTERS[row].pair(config, first, second);
    free(first);
    free(second);
  } else if (SETTERS[row].bytes != NULL) {
    size_t len;
    void *bytes;
    if (napi_get_typedarray_info(env, a, NULL, &len, &bytes, NULL, NULL) == napi_ok)
      status = SETTERS[row].bytes(config, len == 0 ? (const uint8_t *)"" : bytes, len);
  } else if (SETTERS[row].flag != NULL) {
    bool on;
    if (napi_get_value_bool(env, a, &on) == napi_ok) status = SETTERS[row].flag(config, on);
  } else {
    int64_t first, second;
    if (napi_get_value_int64(env, a, &first) != napi_ok) return status;
    if (SETTERS[row].number != NULL) status = SETTERS[row].number(config, (uint64_t)first);
    else if (napi_get_value_int64(env, b, &second) == napi_ok) status = SETTERS[row].span(config, (uint64_t)first, (uint64_t)second);
  }
  return status;
}

// options is [[name, value, value?], ...]. False: an exception is pending, or JavaScript may not run any more: a worker can be
// terminated at any moment, and from then on calls of Node-API fail and leave their results as they were.
static bool configure(napi_env env, eventsource_config *config, napi_value options) {
  uint32_t count = 0;
  if (napi_get_array_length(env, options, &count) != napi_ok) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_value option, part[3];
    char name[32] = "";
    if (napi_get_element(env, options, i, &option) != napi_ok) return false;
    for (uint32_t k = 0; k < COUNT(part); k++)
      if (napi_get_element(env, option, k, &part[k]) != napi_ok) return false;
    napi_get_value_string_utf8(env, part[0], name, sizeof name, NULL);
    size_t row = 0;
    while (row < COUNT(SETTERS) && strcmp(SETTERS[row].name, name) != 0) row++;
    eventsource_status status =
        row == COUNT(SETTERS) ? EVENTSOURCE_STATUS_UNSUPPORTED : apply(env, config, row, part[1], part[2]);
    if (status >= 0) continue;
    const char *why = eventsource_config_error(config, NULL);
    if (*why == '\0') why = eventsource_status_text(status);
    napi_throw_type_error(env, name, why);
    return false;
  }
  return true;
}

// ---- what JavaScript calls

// open(url, options, turn): the handle. Throws an error whose code is 'url', the name of an option, or 'start'.
static napi_value open_source(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value args[3], external = NULL, name;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);

  char *url = take_text(env, args[0]);
  eventsource_config *config = NULL;
  eventsource_status status =
      url == NULL ? EVENTSOURCE_STATUS_INVALID_URL : eventsource_config_new(url, &config);
  free(url);
  if (status < 0) return throw_error(env, "url", eventsource_status_text(status));
  eventsource *source = NULL;
  if (configure(env, config, args[1])) {
    status = eventsource_new(config, &source);
    if (status < 0) {
      const char *why = eventsource_config_error(config, NULL);
      throw_error(env, "start", *why == '\0' ? eventsource_status_text(status) : why);
    }
  }
  eventsource_config_free(config);
  if (source == NULL) return NULL;

  uv_loop_t *loop = NULL;
  handle *h = calloc(1, sizeof *h);
  if (h == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok || uv_async_init(loop, &h->over, on_over) != 0) {
    free(h);
    eventsource_free(source);
    return throw_error(env, "start", "out of resources");
  }
  h->env = env;
  h->source = source;
  h->closing = h->holders = 2;
  h->over.data = h->wake.data = h;
  h->type_len = strlen(strcpy(h->type, "message"));
  uv_unref((uv_handle_t *)&h->over);
  // From here on the handle goes away as every other does: start_polled tells `over`, at once if it fails.
  uv_async_init(loop, &h->wake, on_wake);  // what can fail is done once for the loop
  napi_create_string_utf8(env, "EventSource", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &h->context);
  napi_create_reference(env, args[2], 1, &h->turn);
  napi_add_async_cleanup_hook(env, on_cleanup, h, &h->hook);
  if (napi_create_external(env, h, on_collected, NULL, &external) != napi_ok) h->holders = 1;  // there is no object
  status = eventsource_start_watched(source, wake, watch, h, over);
  if (status >= 0 && h->holders == 2) return external;
  let_go(h);
  return status >= 0 ? NULL : throw_error(env, "start", eventsource_status_text(status));
}

typedef struct {
  napi_env env;
  handle *h;
  int32_t *index, *record, *end;  // the next record, and where there is room for none
  char *text;
  size_t used, own_bytes;
  napi_value list;  // [text, strings of their own...], only where there are some
  uint32_t own;
} burst;

static void add_own(burst *b, napi_value value) {
  if (b->list == NULL) napi_create_array(b->env, &b->list);
  napi_set_element(b->env, b->list, ++b->own, value);
}

static void add_own_text(burst *b, const char *text, size_t len) {
  add_own(b, make_text(b->env, text, len));
  b->own_bytes += len;
}

// Copies, and tells whether all of it is ASCII: one pass, in pieces, of which the last overlaps the one before.
static bool copy_ascii(char *to, const char *from, size_t len) {
  struct { uint64_t a, b; } piece;
  uint64_t bits = 0;
  size_t i = 0;
  if (len < sizeof piece) {
    for (; i < len; i++) bits |= (unsigned char)(to[i] = from[i]);
    return bits < 0x80;
  }
  for (; i + sizeof piece < len; i += sizeof piece) {
    memcpy(&piece, from + i, sizeof piece);
    bits |= piece.a | piece.b;
    memcpy(to + i, &piece, sizeof piece);
  }
  memcpy(&piece, from + len - sizeof piece, sizeof piece);
  bits |= piece.a | piece.b;
  memcpy(to + len - sizeof piece, &piece, sizeof piece);
  return (bits & UINT64_C(0x8080808080808080)) == 0;
}

// The record's length: what was appended to the text, or OWN.
static int32_t add_text(burst *b, const char *text, size_t len) {
  if (len <= BURST_BYTES && len <= BURST_ROOM - b->used) {
    if (copy_ascii(b->text + b->used, text, len)) {
      b->used += len;
      return (int32_t)len;
    }
    add_own_text(b, text, len);
    return OWN;
  }
  unsigned char bits = 0;
  for (size_t i = 0; i < len; i++) bits |= (unsigned char)text[i];  // vectorised
  if (bits >= 0x80) {
    add_own_text(b, text, len);
  } else {
    napi_value value = NULL;
    napi_create_string_latin1(b->env, text, len, &value);  // without the search for what is not ASCII
    add_own(b, value);
    b->own_bytes += len;
  }
  return OWN;
}

static int32_t add_known(burst *b, const char *text, size_t len, char *known, size_t room, size_t *known_len) {
  if (len == *known_len && memcmp(text, known, len) == 0) return SAME;
  *known_len = len <= room ? len : SIZE_MAX;
  if (len <= room) memcpy(known, text, len);
  return add_text(b, text, len);
}

// Everything that is not a message or a comment: rare, and handed over whole.
static void add_event(burst *b, const eventsource_event *event) {
  size_t len;
  b->index[HEAD_KIND] = eventsource_event_kind(event);
  b->index[HEAD_STATE] = eventsource_event_state(event);
  b->index[HEAD_ERROR] = eventsource_event_error(event);
  b->index[HEAD_HTTP] = eventsource_event_http_status(event);
  const char *text = eventsource_event_data(event, &len);
  add_own_text(b, text, len);
  text = eventsource_event_id(event, &len);
  add_own_text(b, text, len);
  text = eventsource_event_url(event, &len);
  add_own_text(b, text, len);
  text = eventsource_event_body(event, &len);
  add_own_text(b, text == NULL ? "" : text, text == NULL ? 0 : len);
  add_own(b, make_number(b->env, (double)eventsource_event_retry_ms(event)));
  const char *name, *value;
  for (size_t i = 0; eventsource_event_header_at(event, i, &name, &value); i++) {
    add_own_text(b, name, NAPI_AUTO_LENGTH);
    add_own_text(b, value, NAPI_AUTO_LENGTH);
  }
}

// Writes an event down. False: the burst is full, or the event is one that a handler may answer.
static bool take_event(void *data, const eventsource_event *event) {
  burst *b = data;
  handle *h = b->h;
  size_t len;
  eventsource_kind kind = eventsource_event_kind(event);
  if (kind == EVENTSOURCE_KIND_MESSAGE) {
    const char *string = eventsource_event_type(event, &len);
    b->record[0] = add_known(b, string, len, h->type, sizeof h->type, &h->type_len);
    string = eventsource_event_id(event, &len);
    b->record[1] = add_known(b, string, len, h->id, sizeof h->id, &h->id_len);
  } else if (kind == EVENTSOURCE_KIND_COMMENT) {
    b->record[0] = COMMENT;
    b->record[1] = SAME;
  } else if (kind >= EVENTSOURCE_KIND_CONNECT && kind <= EVENTSOURCE_KIND_CLOSE) {
    add_event(b, event);
    return false;
  } else {
    return true;  // a kind of a later library
  }
  const char *string = eventsource_event_data(event, &len);
  b->record[2] = add_text(b, string, len);
  b->record += RECORD_SIZE;
  return b->record < b->end && b->used < BURST_BYTES && b->own_bytes < BURST_OWN_BYTES;
}

// poll(handle, index): what there is, up to the size of a burst.
static napi_value poll_burst(napi_env env, napi_callback_info info) {
  napi_value args[2], whole = NULL;
  handle *h = take_handle(env, info, 2, args);
  char text[BURST_ROOM];
  void *data = NULL;
  size_t room = 0;
  napi_get_typedarray_info(env, args[1], NULL, &room, &data, NULL, NULL);
  if (h == NULL || room < HEAD_SIZE + BURST_EVENTS * RECORD_SIZE) return NULL;
  int32_t *index = data, *first = index + HEAD_SIZE;
  burst b = {.env = env, .h = h, .index = index, .record = first, .end = first + BURST_EVENTS * RECORD_SIZE, .text = text};
  index[HEAD_KIND] = EVENTSOURCE_KIND_ANY;
  index[HEAD_STATUS] = h->source == NULL ? EVENTSOURCE_STATUS_CLOSED : eventsource_poll_each(h->source, take_event, &b);
  h->again = index[HEAD_STATUS] == EVENTSOURCE_STATUS_AGAIN;
  if (h->again && h->watched != NULL && !uv_is_active((uv_handle_t *)h->watched))
    uv_poll_start(h->watched, UV_READABLE, on_readable);
  index[HEAD_COUNT] = (int32_t)((b.record - first) / RECORD_SIZE);
  napi_create_string_latin1(env, text, b.used, &whole);
  if (b.list == NULL) return whole;
  napi_set_element(env, b.list, 0, whole);
  return b.list;
}

// The calls on the source that take a handle, perhaps texts or a number, and give a status.
static napi_value give_status(napi_env env, eventsource_status status) {
  napi_value value = NULL;
  napi_create_int32(env, status, &value);
  return value;
}

#define CALL(name)                                                                                         \
  static napi_value call_##name(napi_env env, napi_callback_info info) {                                   \
    napi_value args[1];                                                                                    \
    eventsource *source = source_of(take_handle(env, info, 1, args));                                      \
    return give_status(env, source == NULL ? EVENTSOURCE_STATUS_CLOSED : eventsource_##name(source));        \
  }
CALL(close)
CALL(pause)
CALL(resume)
CALL(reconnect)

static napi_value call_retry(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int64_t delay = -1;
  eventsource *source = source_of(take_handle(env, info, 2, args));
  napi_get_value_int64(env, args[1], &delay);
  return give_status(env, source == NULL ? EVENTSOURCE_STATUS_CLOSED : eventsource_retry(source, delay));
}

static napi_value call_fail(napi_env env, napi_callback_info info) {
  napi_value args[2];
  eventsource *source = source_of(take_handle(env, info, 2, args));
  char *reason = take_text(env, args[1]);
  eventsource_status status = EVENTSOURCE_STATUS_CLOSED;
  if (source != NULL) status = eventsource_fail(source, reason == NULL ? "no headers" : reason);
  free(reason);
  return give_status(env, status);
}

// setHeader(handle, name, value or null, secret)
static napi_value call_set_header(napi_env env, napi_callback_info info) {
  napi_value args[4];
  napi_valuetype type = napi_undefined;
  bool secret = false;
  eventsource *source = source_of(take_handle(env, info, 4, args));
  napi_typeof(env, args[2], &type);
  napi_get_value_bool(env, args[3], &secret);
  char *name = take_text(env, args[1]), *value = take_text(env, args[2]);
  eventsource_status status = EVENTSOURCE_STATUS_INVALID_HEADER;
  if (source == NULL) status = EVENTSOURCE_STATUS_CLOSED;
  else if (name != NULL && (value != NULL || type == napi_null))
    status = (secret ? eventsource_set_secret_header : eventsource_set_header)(source, name, value);
  free(name);
  free(value);
  return give_status(env, status);
}

// kick(handle): a wake of our own, when JavaScript stopped before poll had said that it is empty.
static napi_value call_kick(napi_env env, napi_callback_info info) {
  napi_value args[1];
  handle *h = take_handle(env, info, 1, args);
  if (source_of(h) != NULL) uv_async_send(&h->wake);
  return NULL;
}

// hold(handle, on): whether the source keeps the process alive.
static napi_value call_hold(napi_env env, napi_callback_info info) {
  napi_value args[2];
  bool on = false;
  handle *h = take_handle(env, info, 2, args);
  napi_get_value_bool(env, args[1], &on);
  if (source_of(h) == NULL || h->ended) return NULL;
  if (on) uv_ref((uv_handle_t *)&h->wake);
  else uv_unref((uv_handle_t *)&h->wake);
  return NULL;
}

// end(handle): CLOSE has been seen. The rest happens when the turn is over, whose context is still in use.
static napi_value call_end(napi_env env, napi_callback_info info) {
  napi_value args[1];
  handle *h = take_handle(env, info, 1, args);
  if (h == NULL) return NULL;
  h->ended = true;
  uv_unref((uv_handle_t *)&h->wake);
  return NULL;
}

// A lookup thread of the library may outlive the environment that unloads us. On ELF the linker's -z nodelete does this.
static void stay_loaded(void) {
#if defined(_WIN32)
  HMODULE module;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCSTR)&stay_loaded, &module);
#elif defined(__APPLE__)
  Dl_info own;
  if (dladdr((const void *)&stay_loaded, &own) != 0) dlopen(own.dli_fname, RTLD_NOW | RTLD_NODELETE);
#endif
}

NAPI_MODULE_INIT() {
  static const struct { const char *name; napi_callback function; } FUNCTIONS[] = {
      {"open", open_source},     {"poll", poll_burst},           {"close", call_close},
      {"pause", call_pause},     {"resume", call_resume},        {"reconnect", call_reconnect},
      {"retry", call_retry},     {"fail", call_fail},            {"setHeader", call_set_header},
      {"kick", call_kick},       {"hold", call_hold},            {"end", call_end},
  };
  stay_loaded();
  for (size_t i = 0; i < COUNT(FUNCTIONS); i++) {
    napi_value function;
    if (napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].function, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, FUNCTIONS[i].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
