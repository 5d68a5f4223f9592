// Every function with NULL for each pointer it takes, and with text and numbers that C lets through.
#include "check.h"

static int destroyed;

static void destroy(void *user_data) {
  CHECK(user_data == &destroyed);
  count(&destroyed);
}
static void callback(void *user_data, const eventsource_event *event) {
  (void)user_data;
  (void)event;
  CHECK(!"called");
}
static bool each(void *user_data, const eventsource_event *event) {
  (void)user_data;
  (void)event;
  CHECK(!"there is no event");
  return true;
}

static void wake(void *user_data) {
  (void)user_data;
  CHECK(!"called");
}
static bool watch(void *user_data, ptrdiff_t descriptor) {
  (void)user_data;
  (void)descriptor;
  CHECK(!"called");
  return true;
}
static void log_line(void *user_data, int level, const char *target, const char *message) {
  (void)user_data;
  (void)level;
  (void)target;
  (void)message;
}

static const eventsource_status NULL_ARGUMENT = EVENTSOURCE_STATUS_NULL_ARGUMENT;
static const char *const BAD_UTF8 = "\xff\xfe";
static const uint8_t BYTES[] = "x";

static void configs(void) {
  eventsource_config *config = (eventsource_config *)&destroyed;
  CHECK(eventsource_config_new("http://a/", NULL) == NULL_ARGUMENT);
  CHECK(eventsource_config_new(NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_config_new(NULL, &config) == NULL_ARGUMENT);
  CHECK(config == NULL);
  config = (eventsource_config *)&destroyed;
  CHECK(eventsource_config_new(BAD_UTF8, &config) == EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(config == NULL);
  config = (eventsource_config *)&destroyed;
  CHECK(eventsource_config_new("no url", &config) == EVENTSOURCE_STATUS_INVALID_URL);
  CHECK(config == NULL);

  CHECK(eventsource_config_set_header(NULL, "a", "b") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_secret_header(NULL, "a", "b") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_method(NULL, "GET") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_body(NULL, BYTES, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_last_event_id(NULL, "1") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_connect_timeout(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_response_timeout(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_idle_timeout(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_keepalive(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_retry(NULL, 1, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_max_retries(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_reconnect(NULL, EVENTSOURCE_RECONNECT_AUTO) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_standard_status(NULL, true) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_max_event_size(NULL, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_compression(NULL, true) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_https_only(NULL, true) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_proxy(NULL, "http://a") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_proxy_from_env(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_config_add_ca_pem(NULL, BYTES, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_only_ca_pem(NULL, BYTES, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_set_identity_pem(NULL, BYTES, 1) == NULL_ARGUMENT);
  CHECK(eventsource_config_add_pin(NULL, "x") == NULL_ARGUMENT);
  CHECK(eventsource_config_set_stack_size(NULL, 1 << 20) == NULL_ARGUMENT);
  size_t len = 7;
  SAME(eventsource_config_error(NULL, &len), "");
  CHECK(len == 0);
  SAME(eventsource_config_error(NULL, NULL), "");
  eventsource_config_free(NULL);
}

// Each refusal leaves its status and its words in a config of its own.
#define REFUSED(call, status, words)                                            \
  do {                                                                          \
    eventsource_config *config = NULL;                                          \
    eventsource *source = (eventsource *)&destroyed;                            \
    size_t length = 0;                                                          \
    OK(eventsource_config_new("http://127.0.0.1:1/", &config));                 \
    SAME(eventsource_config_error(config, NULL), "");                           \
    CHECK((call) == (status));                                                  \
    SAME(eventsource_config_error(config, &length), (words));                   \
    CHECK(length == strlen(words));                                             \
    OK(eventsource_config_set_compression(config, true));                       \
    CHECK(eventsource_config_set_max_event_size(config, 0) == EVENTSOURCE_STATUS_INVALID_ARGUMENT); \
    SAME(eventsource_config_error(config, NULL), (words));                      \
    CHECK(eventsource_new(config, &source) == (status));                        \
    CHECK(source == NULL);                                                      \
    eventsource_config_free(config);                                            \
  } while (0)

static void refusals(void) {
  const eventsource_status utf8 = EVENTSOURCE_STATUS_INVALID_UTF8, argument = EVENTSOURCE_STATUS_INVALID_ARGUMENT;
  REFUSED(eventsource_config_set_header(config, NULL, "b"), NULL_ARGUMENT, "the header's name is NULL");
  REFUSED(eventsource_config_set_header(config, "a", NULL), NULL_ARGUMENT, "the header's value is NULL");
  REFUSED(eventsource_config_set_secret_header(config, NULL, "b"), NULL_ARGUMENT, "the header's name is NULL");
  REFUSED(eventsource_config_set_secret_header(config, "a", NULL), NULL_ARGUMENT, "the header's value is NULL");
  REFUSED(eventsource_config_set_method(config, NULL), NULL_ARGUMENT, "the method is NULL");
  REFUSED(eventsource_config_set_body(config, NULL, 1), NULL_ARGUMENT, "the body is NULL");
  REFUSED(eventsource_config_set_body(config, BYTES, SIZE_MAX), argument, "the body has an impossible length");
  REFUSED(eventsource_config_set_last_event_id(config, NULL), NULL_ARGUMENT, "the last event ID is NULL");
  REFUSED(eventsource_config_add_ca_pem(config, NULL, 1), NULL_ARGUMENT, "the PEM text is NULL");
  REFUSED(eventsource_config_add_ca_pem(config, NULL, 0), NULL_ARGUMENT, "the PEM text is NULL");
  REFUSED(eventsource_config_set_only_ca_pem(config, NULL, 1), NULL_ARGUMENT, "the PEM text is NULL");
  REFUSED(eventsource_config_set_identity_pem(config, NULL, 1), NULL_ARGUMENT, "the PEM text is NULL");
  REFUSED(eventsource_config_add_pin(config, NULL), NULL_ARGUMENT, "the pin is NULL");
  REFUSED(eventsource_config_set_header(config, BAD_UTF8, "b"), utf8, "the header's name is not UTF-8");
  REFUSED(eventsource_config_set_header(config, "a", BAD_UTF8), utf8, "the header's value is not UTF-8");
  REFUSED(eventsource_config_set_method(config, BAD_UTF8), utf8, "the method is not UTF-8");
  REFUSED(eventsource_config_set_last_event_id(config, BAD_UTF8), utf8, "the last event ID is not UTF-8");
  REFUSED(eventsource_config_set_proxy(config, BAD_UTF8), utf8, "the proxy's URL is not UTF-8");
  REFUSED(eventsource_config_add_pin(config, BAD_UTF8), utf8, "the pin is not UTF-8");
  REFUSED(eventsource_config_set_header(config, "Host", "b"), EVENTSOURCE_STATUS_INVALID_HEADER,
          "Host cannot be set: its value follows from the connection");
  REFUSED(eventsource_config_set_reconnect(config, 3), argument, "the mode is no eventsource_reconnect_mode");
  REFUSED(eventsource_config_set_reconnect(config, -1), argument, "the mode is no eventsource_reconnect_mode");
  REFUSED(eventsource_config_set_max_event_size(config, 0), argument, "the largest event size has to be at least 1 byte");
  REFUSED(eventsource_config_set_stack_size(config, 1000), argument, "the stack size has to be from 128 KiB to 256 MiB");
  REFUSED(eventsource_config_set_proxy(config, "ftp://a"), EVENTSOURCE_STATUS_INVALID_URL,
          "the proxy: its URL has to begin with http:// or socks5://");
  REFUSED(eventsource_config_add_ca_pem(config, BYTES, 1), EVENTSOURCE_STATUS_INVALID_CERTIFICATE,
          "there is no certificate in the PEM text");
}

// Numbers that are absurd but no mistake are taken.
static void extremes(void) {
  eventsource_config *config = NULL;
  eventsource *source = NULL;
  OK(eventsource_config_new("http://127.0.0.1:1/", &config));
  OK(eventsource_config_set_connect_timeout(config, UINT64_MAX));
  OK(eventsource_config_set_response_timeout(config, UINT64_MAX));
  OK(eventsource_config_set_idle_timeout(config, UINT64_MAX));
  OK(eventsource_config_set_keepalive(config, UINT64_MAX));
  OK(eventsource_config_set_retry(config, UINT64_MAX, UINT64_MAX));
  OK(eventsource_config_set_max_retries(config, UINT32_MAX));
  OK(eventsource_config_set_max_event_size(config, SIZE_MAX));
  OK(eventsource_config_set_body(config, NULL, 0));
  OK(eventsource_config_set_proxy(config, "http://127.0.0.1:1"));
  OK(eventsource_config_set_proxy(config, NULL));
  OK(eventsource_config_set_reconnect(config, EVENTSOURCE_RECONNECT_NEVER));
  OK(eventsource_new(config, &source));
  eventsource_free(source);
  eventsource_config_free(config);
}

static void sources(void) {
  eventsource_config *config = NULL;
  eventsource *source = (eventsource *)&destroyed;
  const eventsource_event *event = (const eventsource_event *)&destroyed;
  int before;
  CHECK(eventsource_new(NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_new(NULL, &source) == NULL_ARGUMENT);
  CHECK(source == NULL);
  OK(eventsource_config_new("http://127.0.0.1:1/", &config));
  CHECK(eventsource_new(config, NULL) == NULL_ARGUMENT);

  // Whatever fails to register destroys, once, before it returns.
  before = counted(&destroyed);
  CHECK(eventsource_on(NULL, EVENTSOURCE_KIND_ANY, NULL, callback, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_start_polled(NULL, wake, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_start_watched(NULL, wake, watch, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(counted(&destroyed) == before + 3);
  CHECK(eventsource_on(NULL, EVENTSOURCE_KIND_ANY, NULL, callback, NULL, NULL) == NULL_ARGUMENT);
  OK(eventsource_new(config, &source));
  before = counted(&destroyed);
  CHECK(eventsource_on(source, EVENTSOURCE_KIND_ANY, NULL, NULL, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_start_polled(source, NULL, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_start_watched(source, NULL, watch, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_start_watched(source, wake, NULL, &destroyed, destroy) == NULL_ARGUMENT);
  CHECK(eventsource_on(source, EVENTSOURCE_KIND_MESSAGE, BAD_UTF8, callback, &destroyed, destroy) ==
        EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(eventsource_on(source, EVENTSOURCE_KIND_ANY, "x", callback, &destroyed, destroy) ==
        EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(eventsource_on(source, EVENTSOURCE_KIND_ERROR, "x", callback, &destroyed, destroy) ==
        EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(eventsource_on(source, (eventsource_kind)7, NULL, callback, &destroyed, destroy) ==
        EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(counted(&destroyed) == before + 8);

  CHECK(eventsource_start(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_run(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_next(NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_next(NULL, &event) == NULL_ARGUMENT);
  CHECK(event == NULL);
  event = (const eventsource_event *)&destroyed;
  CHECK(eventsource_poll(NULL, &event) == NULL_ARGUMENT);
  CHECK(event == NULL);
  CHECK(eventsource_poll(NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_next(source, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_poll(source, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_poll_each(NULL, each, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_poll_each(NULL, NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_poll_each(source, NULL, &destroyed) == NULL_ARGUMENT);
  CHECK(eventsource_close(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_pause(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_resume(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_reconnect(NULL) == NULL_ARGUMENT);
  CHECK(eventsource_retry(NULL, 0) == NULL_ARGUMENT);
  CHECK(eventsource_fail(NULL, "x") == NULL_ARGUMENT);
  CHECK(eventsource_fail(source, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_set_url(NULL, "http://a/") == NULL_ARGUMENT);
  CHECK(eventsource_set_url(source, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_set_header(NULL, "a", "b") == NULL_ARGUMENT);
  CHECK(eventsource_set_header(source, NULL, "b") == NULL_ARGUMENT);
  CHECK(eventsource_set_secret_header(NULL, "a", "b") == NULL_ARGUMENT);
  CHECK(eventsource_set_secret_header(source, NULL, NULL) == NULL_ARGUMENT);
  CHECK(eventsource_get_state(NULL) == EVENTSOURCE_STATE_CLOSED);
  eventsource_free(NULL);
  eventsource_release(NULL);

  CHECK(eventsource_fail(source, BAD_UTF8) == EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(eventsource_set_url(source, BAD_UTF8) == EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(eventsource_set_url(source, "a") == EVENTSOURCE_STATUS_INVALID_URL);
  CHECK(eventsource_set_header(source, BAD_UTF8, "b") == EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(eventsource_set_header(source, "a", BAD_UTF8) == EVENTSOURCE_STATUS_INVALID_UTF8);
  CHECK(eventsource_set_header(source, "TE", "b") == EVENTSOURCE_STATUS_INVALID_HEADER);
  CHECK(eventsource_set_secret_header(source, "a", "b\n") == EVENTSOURCE_STATUS_INVALID_HEADER);
  OK(eventsource_set_header(source, "a", NULL));
  CHECK(eventsource_retry(source, -2) == EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(eventsource_retry(source, INT64_MIN) == EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(eventsource_retry(source, INT64_MAX) == EVENTSOURCE_STATUS_CLOSED);
  CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CONNECTING);
  eventsource_free(source);

  // A source that is never driven destroys in free, or in release.
  for (int wait = 0; wait < 2; ++wait) {
    OK(eventsource_new(config, &source));
    before = counted(&destroyed);
    OK(eventsource_on(source, EVENTSOURCE_KIND_ANY, NULL, callback, &destroyed, destroy));
    OK(eventsource_on(source, EVENTSOURCE_KIND_MESSAGE, "x", callback, &destroyed, destroy));
    CHECK(eventsource_start_polled(source, wake, NULL, NULL) == EVENTSOURCE_STATUS_BUSY);
    CHECK(eventsource_start_watched(source, wake, watch, NULL, NULL) == EVENTSOURCE_STATUS_BUSY);
    CHECK(eventsource_next(source, &event) == EVENTSOURCE_STATUS_BUSY);
    CHECK(event == NULL);
    CHECK(counted(&destroyed) == before);
    if (wait) eventsource_free(source);
    else eventsource_release(source);
    CHECK(counted(&destroyed) == before + 2);
  }
  eventsource_config_free(config);
}

static void events(void) {
  const char *name = "x", *value = "x";
  size_t len = 7;
  CHECK(eventsource_event_kind(NULL) == EVENTSOURCE_KIND_ANY);
  SAME(eventsource_event_type(NULL, &len), "");
  CHECK(len == 0);
  SAME(eventsource_event_data(NULL, NULL), "");
  SAME(eventsource_event_id(NULL, NULL), "");
  SAME(eventsource_event_url(NULL, NULL), "");
  SAME(eventsource_event_body(NULL, NULL), "");
  CHECK(eventsource_event_error(NULL) == EVENTSOURCE_ERROR_NONE);
  CHECK(eventsource_event_state(NULL) == EVENTSOURCE_STATE_CONNECTING);
  CHECK(eventsource_event_http_status(NULL) == 0);
  CHECK(eventsource_event_retry_ms(NULL) == -1);
  len = 7;
  CHECK(eventsource_event_header(NULL, "a", &len) == NULL);
  CHECK(len == 0);
  CHECK(eventsource_event_header(NULL, NULL, NULL) == NULL);
  CHECK(!eventsource_event_header_at(NULL, 0, &name, &value));
  CHECK(name == NULL && value == NULL);
  CHECK(!eventsource_event_header_at(NULL, SIZE_MAX, NULL, NULL));
  CHECK(eventsource_event_clone(NULL) == NULL);
  eventsource_event_free(NULL);
}

static void the_rest(void) {
  SAME(eventsource_version(), EVENTSOURCE_VERSION);
  CHECK(eventsource_version_number() == EVENTSOURCE_VERSION_NUMBER);
  SAME(eventsource_status_text(EVENTSOURCE_STATUS_OK), "done");
  SAME(eventsource_status_text(77), "unknown status");
  SAME(eventsource_error_text(EVENTSOURCE_ERROR_NONE), "no error");
  SAME(eventsource_error_text(-77), "unknown error");

  int before = counted(&destroyed);
  CHECK(eventsource_set_log(6, log_line, &destroyed, destroy) == EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(eventsource_set_log(-1, log_line, &destroyed, destroy) == EVENTSOURCE_STATUS_INVALID_ARGUMENT);
  CHECK(counted(&destroyed) == before + 2);
  OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
  OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, &destroyed, destroy));
  CHECK(counted(&destroyed) == before + 3);
  OK(eventsource_set_log(EVENTSOURCE_LOG_DEBUG, log_line, &destroyed, destroy));
  CHECK(counted(&destroyed) == before + 3);
  OK(eventsource_set_log(EVENTSOURCE_LOG_OFF, NULL, NULL, NULL));
  CHECK(counted(&destroyed) == before + 4);
}

int main(void) {
  configs();
  refusals();
  extremes();
  sources();
  events();
  the_rest();
  return 0;
}
