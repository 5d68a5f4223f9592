// The log: one function for the process, taken away and replaced while it is called.
#include "check.h"
#include <unistd.h>

struct logger {
  int lines, destroys, inside, hold;
  bool leave; // the function takes itself away
};

static void destroy(void *user_data) {
  struct logger *logger = user_data;
  CHECK(counted(&logger->destroys) == 0);
  CHECK(logger->leave || counted(&logger->inside) == 0);
  count(&logger->destroys);
}

static void log_line(void *user_data, int level, const char *target, const char *message) {
  struct logger *logger = user_data;
  CHECK(counted(&logger->destroys) == 0);
  CHECK(level >= EVENTSOURCE_LOG_ERROR && level <= EVENTSOURCE_LOG_DEBUG);
  CHECK(strlen(target) > 0 && strlen(message) > 0);
  // No secret, whatever is logged.
  CHECK(strstr(message, "tulip") == NULL && strstr(message, "dHVsaXA") == NULL);
  count(&logger->inside);
  // What this makes the library log is dropped: no recursion.
  eventsource_config *config = NULL;
  CHECK(eventsource_config_new("no url", &config) == EVENTSOURCE_STATUS_INVALID_URL);
  count(&logger->lines);
  if (logger->hold) usleep(100000);
  if (logger->leave) {
    OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
    CHECK(counted(&logger->destroys) == 0); // it is in use still
  }
  pthread_mutex_lock(&check_mutex);
  --logger->inside;
  pthread_mutex_unlock(&check_mutex);
}

// Frees the source inside of eventsource_poll, which lives on until that returns.
struct fatal {
  eventsource *source;
  pthread_t polling;
  int wakes, over;
};

static void free_at_open(void *user_data, int level, const char *target, const char *message) {
  struct fatal *fatal = user_data;
  (void)level, (void)target;
  if (strstr(message, ": open") == NULL) return;
  CHECK(pthread_equal(pthread_self(), fatal->polling));
  eventsource_free(fatal->source);
  fatal->source = NULL;
}

static void wake(void *user_data) { count(&((struct fatal *)user_data)->wakes); }
static void over(void *user_data) { count(&((struct fatal *)user_data)->over); }

static eventsource *source_freed_at_open(struct fatal *fatal, const char *base) {
  fatal->polling = pthread_self();
  OK(eventsource_set_log(EVENTSOURCE_LOG_INFO, free_at_open, fatal, NULL));
  eventsource_config *config = config_for(base, "/once");
  OK(eventsource_new(config, &fatal->source));
  eventsource_config_free(config);
  return fatal->source;
}

static void freed_while_polled(const char *base) {
  static struct fatal fatal;
  eventsource *source = source_freed_at_open(&fatal, base);
  const eventsource_event *event;
  OK(eventsource_start_polled(source, wake, &fatal, over));
  for (int wakes = 1; fatal.source != NULL; ++wakes) {
    wait_for(&fatal.wakes, wakes);
    int status;
    do status = eventsource_poll(source, &event);
    while (status == EVENTSOURCE_STATUS_OK && fatal.source != NULL);
    CHECK(fatal.source == NULL || status == EVENTSOURCE_STATUS_AGAIN);
  }
  wait_for(&fatal.over, 1);
  OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
}

// The same inside of eventsource_next: no event of a source that is gone is handed out.
static void freed_while_pulled(const char *base) {
  static struct fatal fatal;
  eventsource *source = source_freed_at_open(&fatal, base);
  while (fatal.source != NULL) {
    const eventsource_event *event = NULL;
    int status = eventsource_next(source, &event);
    if (fatal.source != NULL) OK(status);
    else CHECK(status == EVENTSOURCE_STATUS_CLOSED && event == NULL);
  }
  OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
}

static void *refuse(void *unused) {
  (void)unused;
  eventsource_config *config = NULL;
  for (int i = 0; i < 200; ++i) CHECK(eventsource_config_new("no url", &config) == EVENTSOURCE_STATUS_INVALID_URL);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  static struct logger first, second, third, fourth;
  pthread_t thread;

  // A stream is logged; an error at debug level is not asked for at level ERROR.
  OK(eventsource_set_log(EVENTSOURCE_LOG_DEBUG, log_line, &first, destroy));
  eventsource_config *config = config_for(argv[1], "/once");
  OK(eventsource_config_set_header(config, "Authorization", "Bearer tulip"));
  OK(eventsource_config_set_secret_header(config, "X-Key", "tulip"));
  OK(eventsource_config_set_header(config, "X-Other", "tulip"));
  OK(eventsource_config_set_header(config, "User-Agent", "tulip"));
  OK(eventsource_config_set_body(config, (const uint8_t *)"tulip", 5));
  OK(eventsource_config_set_method(config, "GET"));
  eventsource *source = NULL;
  OK(eventsource_new(config, &source));
  eventsource_config_free(config);
  const eventsource_event *event;
  while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) continue;
  eventsource_free(source);
  CHECK(counted(&first.lines) > 0);

  // Replaced while another thread is in it.
  first.hold = 1;
  int lines = counted(&first.lines);
  CHECK(pthread_create(&thread, NULL, refuse, NULL) == 0);
  wait_for(&first.lines, lines + 1);
  OK(eventsource_set_log(EVENTSOURCE_LOG_DEBUG, log_line, &second, destroy));
  CHECK(first.destroys == 1 && first.inside == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(counted(&second.lines) > 0);

  // At a level above it: not called.
  OK(eventsource_set_log(EVENTSOURCE_LOG_ERROR, log_line, &third, destroy));
  CHECK(second.destroys == 1);
  refuse(NULL);
  CHECK(third.lines == 0);

  // Takes itself away, in the middle of others.
  fourth.leave = true;
  OK(eventsource_set_log(EVENTSOURCE_LOG_DEBUG, log_line, &fourth, destroy));
  CHECK(third.destroys == 1);
  CHECK(pthread_create(&thread, NULL, refuse, NULL) == 0);
  refuse(NULL);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(counted(&fourth.destroys) == 1);
  lines = fourth.lines;
  refuse(NULL);
  CHECK(fourth.lines == lines);

  // With a thread that logs at every moment.
  for (int round = 0; round < 100; ++round) {
    struct logger logger;
    memset(&logger, 0, sizeof logger);
    CHECK(pthread_create(&thread, NULL, refuse, NULL) == 0);
    OK(eventsource_set_log(EVENTSOURCE_LOG_DEBUG, log_line, &logger, destroy));
    if (round % 2) usleep(200);
    OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
    CHECK(logger.destroys == 1);
    CHECK(pthread_join(thread, NULL) == 0);
  }

  freed_while_polled(argv[1]);
  freed_while_pulled(argv[1]);
  return 0;
}
