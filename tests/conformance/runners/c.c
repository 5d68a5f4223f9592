// The C library as a conformance runner in any of its four drivers: c start|run|next|polled. ../README.md has the protocol.

#include <eventsource.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS(text, word) (strcmp(text, word) == 0)

static char *words[8], rules[8][4][32];
static int rule_count, counts[8];
static eventsource *source;
static sem_t woken;

static void wake(void *user_data) { (void)user_data, sem_post(&woken); }

// Decodes the words of a line in place. A "%" alone is an empty word.
static int split(char *line) {
  int n = 0;
  for (char *rest, *from = strtok_r(line, " \n", &rest); from && n < 8; from = strtok_r(NULL, " \n", &rest)) {
    char *to = words[n++] = from;
    for (unsigned byte; (byte = (unsigned char)*from) != 0; *to++ = (char)byte) {
      if (byte == '%' && sscanf(from + 1, "%2x", &byte) != 1) break;
      from += *from == '%' ? 3 : 1;
    }
    *to = '\0';
  }
  return n;
}

static void word(const char *name, const char *text, size_t length) {
  printf(" %s %s", name, length ? "" : "%");
  for (size_t i = 0; i < length; i++) printf("%%%02X", (unsigned char)text[i]);
}

static void act(const char *action, const char *argument) {
  if (IS(action, "close")) eventsource_close(source);
  if (IS(action, "reconnect")) eventsource_reconnect(source);
  if (IS(action, "pause")) eventsource_pause(source);
  if (IS(action, "resume")) eventsource_resume(source);
  if (IS(action, "retry")) eventsource_retry(source, atoll(argument));
}

static void hear(void *user_data, const eventsource_event *event) {
  (void)user_data;
  size_t length;
  eventsource_kind kind = eventsource_event_kind(event);
  const char *name = kind == EVENTSOURCE_KIND_MESSAGE ? "message" : eventsource_event_type(event, NULL), *text;
  int count = ++counts[kind];
  for (int i = 0; i < rule_count; i++)
    if (IS(rules[i][0], name) && count == atoi(rules[i][1])) act(rules[i][2], rules[i][3]);
  fputs(name, stdout);
  if (kind == EVENTSOURCE_KIND_MESSAGE) text = eventsource_event_type(event, &length), word("type", text, length);
  if (kind == EVENTSOURCE_KIND_MESSAGE || kind == EVENTSOURCE_KIND_COMMENT)
    text = eventsource_event_data(event, &length), word("data", text, length);
  text = eventsource_event_id(event, &length), word("id", text, length);
  text = eventsource_event_url(event, &length), word("url", text, length);
  if (kind == EVENTSOURCE_KIND_ERROR || kind == EVENTSOURCE_KIND_CLOSE)
    printf(" error %d status %d", eventsource_event_error(event), eventsource_event_http_status(event));
  if (kind == EVENTSOURCE_KIND_ERROR)
    printf(" state %d retry %lld", eventsource_event_state(event), (long long)eventsource_event_retry_ms(event));
  puts("");
}

static void *drive(void *driver) {
  const eventsource_event *event;
  eventsource_status status = EVENTSOURCE_STATUS_AGAIN;
  if (IS(driver, "run")) eventsource_run(source);
  while (IS(driver, "next") && eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) hear(NULL, event);
  while (IS(driver, "polled") && status != EVENTSOURCE_STATUS_CLOSED) {
    sem_wait(&woken);
    while ((status = eventsource_poll(source, &event)) == EVENTSOURCE_STATUS_OK) hear(NULL, event);
  }
  return NULL;
}

static void set(eventsource_config *config, const char *key, const char *a, const char *b) {
  unsigned long long n = a ? strtoull(a, NULL, 10) : 0;
  if (IS(key, "header")) eventsource_config_set_header(config, a, b);
  else if (IS(key, "secret_header")) eventsource_config_set_secret_header(config, a, b);
  else if (IS(key, "method")) eventsource_config_set_method(config, a);
  else if (IS(key, "body")) eventsource_config_set_body(config, (const uint8_t *)a, strlen(a));
  else if (IS(key, "last_event_id")) eventsource_config_set_last_event_id(config, a);
  else if (IS(key, "retry")) eventsource_config_set_retry(config, n, strtoull(b, NULL, 10));
  else if (IS(key, "max_retries")) eventsource_config_set_max_retries(config, (uint32_t)n);
  else if (IS(key, "reconnect")) eventsource_config_set_reconnect(config, IS(a, "never") ? EVENTSOURCE_RECONNECT_NEVER : EVENTSOURCE_RECONNECT_ALWAYS);
  else if (IS(key, "standard_status")) eventsource_config_set_standard_status(config, true);
  else if (IS(key, "response_timeout")) eventsource_config_set_response_timeout(config, n);
  else if (IS(key, "idle_timeout")) eventsource_config_set_idle_timeout(config, n);
  else if (IS(key, "max_event_size")) eventsource_config_set_max_event_size(config, n);
  else if (IS(key, "compression")) eventsource_config_set_compression(config, true);
  else printf("lacks %s\n", key);
}

int main(int argc, char **argv) {
  static char line[65536];
  const char *driver = argc == 2 ? argv[1] : "start";
  eventsource_config *config = NULL;
  pthread_t thread;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    int n = split(line);
    for (int i = n; i < 8; i++) words[i] = NULL;
    if (IS(words[0], "set") && IS(words[1], "url")) eventsource_config_free(config), eventsource_config_new(words[2], &config);
    else if (IS(words[0], "set")) set(config, words[1], words[2], words[3]);
    else if (IS(words[0], "do")) act(words[1], words[2]);
    else if (IS(words[0], "on")) {
      for (int i = 0; i < 4; i++) snprintf(rules[rule_count][i], 32, "%s", i + 1 < n ? words[i + 1] : "");
      rule_count++;
    } else if (IS(words[0], "start")) {
      if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) puts("refused");
      else if (IS(driver, "polled")) sem_init(&woken, 0, 0), eventsource_start_polled(source, wake, NULL, NULL);
      else if (!IS(driver, "next")) eventsource_on(source, EVENTSOURCE_KIND_ANY, NULL, hear, NULL, NULL);
      if (IS(driver, "start")) eventsource_start(source);
      else if (source != NULL) pthread_create(&thread, NULL, drive, (void *)driver);
    } else if (IS(words[0], "end")) {
      if (source != NULL && !IS(driver, "start")) eventsource_close(source), pthread_join(thread, NULL);
      eventsource_free(source), eventsource_config_free(config);
      source = NULL, config = NULL, rule_count = 0, memset(counts, 0, sizeof counts);
      puts("ended");
    }
  }
  return 0;
}
