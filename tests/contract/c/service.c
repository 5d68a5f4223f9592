// The C library as a test service of the SSE contract tests: service PORT
//
// A thread for each call, and the library's own thread for each stream: it tells the harness of each event in its turn, and
// the stream waits until that has been heard.

#include <eventsource.h>
#include <pthread.h>

#include "http.h"
#include "json.h"

#define CAPABILITIES                                                                                       \
  "[\"bom\", \"comments\", \"headers\", \"last-event-id\", \"post\", \"read-timeout\", \"report\", \"restart\", " \
  "\"server-directed-shutdown-request\"]"

// The streams that have not been deleted, newest first.
typedef struct stream {
  struct stream *next;
  unsigned number, told, holders;
  eventsource *source;
  char *callback_url;
} stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static stream *streams;
static unsigned made;

static void tell(void *user_data, const eventsource_event *event) {
  stream *of = user_data;
  size_t length;
  const char *text = eventsource_event_data(event, &length);
  char *body = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&body, &size);
  if (out == NULL) return;
  switch (eventsource_event_kind(event)) {
    case EVENTSOURCE_KIND_MESSAGE:
      fputs("{\"kind\": \"event\", \"event\": {\"data\": ", out);
      json_write(out, text, length);
      text = eventsource_event_type(event, &length);
      fputs(", \"type\": ", out);
      json_write(out, text, length);
      text = eventsource_event_id(event, &length);
      fputs(", \"id\": ", out);
      json_write(out, text, length);
      fputs("}}", out);
      break;
    case EVENTSOURCE_KIND_COMMENT:
      fputs("{\"kind\": \"comment\", \"comment\": ", out);
      json_write(out, text, length);
      fputs("}", out);
      break;
    default:
      fputs("{\"kind\": \"error\", \"error\": ", out);
      json_write(out, text, length);
      fputs("}", out);
  }
  fclose(out);
  // Where nobody hears it, the harness has gone; it will end this stream, or this program.
  if (body != NULL) http_post(of->callback_url, ++of->told, body, size);
  free(body);
}

// Once for the source, once for the list of streams: a stream may end long before it is deleted.
static void forget(void *user_data) {
  stream *of = user_data;
  pthread_mutex_lock(&lock);
  bool last = --of->holders == 0;
  pthread_mutex_unlock(&lock);
  if (!last) return;
  free(of->callback_url);
  free(of);
}

// A config of the body of POST /. What is missing or null has the client's default.
static eventsource_config *config_of(const char *order) {
  eventsource_config *config = NULL;
  char *url = json_string(json_find(order, "streamUrl")), *text;
  const char *value, *headers = json_find(order, "headers"), *name;
  eventsource_config_new(url, &config);
  free(url);
  // The tests expect of every method what they expect of GET.
  eventsource_config_set_reconnect(config, EVENTSOURCE_RECONNECT_ALWAYS);
  if ((value = json_find(order, "initialDelayMs"))) eventsource_config_set_retry(config, strtoull(value, NULL, 10), 30000);
  if ((value = json_find(order, "readTimeoutMs"))) eventsource_config_set_idle_timeout(config, strtoull(value, NULL, 10));
  if ((text = json_string(json_find(order, "lastEventId")))) eventsource_config_set_last_event_id(config, text);
  free(text);
  if ((text = json_string(json_find(order, "body"))))
    eventsource_config_set_body(config, (const uint8_t *)text, strlen(text));
  free(text);
  if ((text = json_string(json_find(order, "method")))) eventsource_config_set_method(config, text);
  free(text);
  while (headers != NULL && json_member(&headers, &name, &value)) {
    char *key = json_string(name);
    text = json_string(value);
    eventsource_config_set_header(config, key, text);
    free(key);
    free(text);
  }
  return config;
}

static void begin(int peer, const char *order) {
  char *callback_url = json_string(json_find(order, "callbackUrl")), location[32];
  eventsource_config *config = config_of(order);
  eventsource *source = NULL;
  stream *of = calloc(1, sizeof *of);
  if (of == NULL || callback_url == NULL || eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) {
    http_answer(peer, 400, NULL, callback_url == NULL ? "no callbackUrl" : eventsource_config_error(config, NULL));
    free(callback_url);
    free(of);
    eventsource_config_free(config);
    return;
  }
  eventsource_config_free(config);
  *of = (stream){.source = source, .callback_url = callback_url, .holders = 2};
  // The last registration to be destroyed is the last to use it.
  eventsource_on(source, EVENTSOURCE_KIND_MESSAGE, NULL, tell, of, NULL);
  eventsource_on(source, EVENTSOURCE_KIND_COMMENT, NULL, tell, of, NULL);
  eventsource_on(source, EVENTSOURCE_KIND_ERROR, NULL, tell, of, forget);
  pthread_mutex_lock(&lock);
  of->number = ++made;
  of->next = streams;
  streams = of;
  snprintf(location, sizeof location, "/streams/%u", of->number);
  eventsource_start(source);
  pthread_mutex_unlock(&lock);
  http_answer(peer, 201, location, "");
}

// What is said to a stream, or its end. The lock keeps it from being deleted meanwhile.
static int command(const http_request *request) {
  unsigned number = 0;
  int status = 404;
  stream *deleted = NULL;
  sscanf(request->path, "/streams/%u", &number);
  pthread_mutex_lock(&lock);
  stream **at = &streams;
  while (*at != NULL && (*at)->number != number) at = &(*at)->next;
  if (*at != NULL && strcmp(request->method, "DELETE") == 0) {
    deleted = *at;
    *at = deleted->next;
    status = 200;
  } else if (*at != NULL && strcmp(request->method, "POST") == 0) {
    char *word = json_string(json_find(request->body, "command"));
    status = 400;
    if (word != NULL && strcmp(word, "restart") == 0) eventsource_reconnect((*at)->source), status = 200;
    if (word != NULL && strcmp(word, "listen") == 0) status = 200;  // every type is heard anyway
    free(word);
  } else if (*at != NULL) {
    status = 405;
  }
  pthread_mutex_unlock(&lock);
  if (deleted != NULL) {
    eventsource_release(deleted->source);
    forget(deleted);
  }
  return status;
}

static void *serve(void *argument) {
  int peer = (int)(intptr_t)argument;
  http_request request;
  if (http_read(peer, &request)) {
    bool at_root = strcmp(request.path, "/") == 0, ends = at_root && strcmp(request.method, "DELETE") == 0;
    if (at_root && strcmp(request.method, "GET") == 0)
      http_answer(peer, 200, NULL, "{\"name\": \"libeventsource (C)\", \"capabilities\": " CAPABILITIES "}");
    else if (at_root && strcmp(request.method, "POST") == 0)
      begin(peer, request.body);
    else
      http_answer(peer, ends ? 200 : at_root ? 405 : command(&request), NULL, "");
    if (ends) exit(0);
  }
  free(request.text);
  close(peer);
  return NULL;
}

int main(int argc, char **argv) {
  unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
  if (port == 0 || port > 65535) return fputs("usage: service PORT\n", stderr), 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) return perror("listen"), 1;
  printf("listening on 127.0.0.1:%lu\n", port);
  fflush(stdout);
  for (;;) {
    pthread_t thread;
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0) continue;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)peer) == 0)
      pthread_detach(thread);
    else
      close(peer);
  }
}
