// What the C tests share: a check that says where it failed, a user_data that counts, a wait with an end.
#ifndef CHECK_H
#define CHECK_H

#include <eventsource.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: %s: failed: %s\n", __FILE__, __LINE__, check_name, #condition); \
      abort();                                                                  \
    }                                                                           \
  } while (0)
#define OK(call) CHECK((call) == EVENTSOURCE_STATUS_OK)
#define SAME(text, wanted) CHECK(strcmp((text), (wanted)) == 0)

// What is being tested, for the message of a failed check.
static const char *check_name = "";

// One lock and one condition for whatever a test counts in its callbacks.
static pthread_mutex_t check_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t check_changed = PTHREAD_COND_INITIALIZER;

static inline void count(int *counter) {
  pthread_mutex_lock(&check_mutex);
  ++*counter;
  pthread_cond_broadcast(&check_changed);
  pthread_mutex_unlock(&check_mutex);
}

static inline int counted(const int *counter) {
  pthread_mutex_lock(&check_mutex);
  int value = *counter;
  pthread_mutex_unlock(&check_mutex);
  return value;
}

// Waits until the counter is there; the end is only for hangs.
static inline void wait_for(const int *counter, int value) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 30;
  pthread_mutex_lock(&check_mutex);
  int late = 0;
  while (*counter < value && !late) late = pthread_cond_timedwait(&check_changed, &check_mutex, &end);
  if (*counter < value) {
    fprintf(stderr, "%s: waited for %d, saw %d\n", check_name, value, *counter);
    abort();
  }
  pthread_mutex_unlock(&check_mutex);
}

// A config for base + path that retries at once.
static inline eventsource_config *config_for(const char *base, const char *path) {
  char url[512];
  eventsource_config *config = NULL;
  snprintf(url, sizeof url, "%s%s", base, path);
  OK(eventsource_config_new(url, &config));
  OK(eventsource_config_set_retry(config, 0, 0));
  return config;
}

static inline eventsource *source_for(const char *base, const char *path) {
  eventsource *source = NULL;
  eventsource_config *config = config_for(base, path);
  OK(eventsource_new(config, &source));
  eventsource_config_free(config);
  return source;
}

#endif
