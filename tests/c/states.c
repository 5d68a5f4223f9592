// The table at the top of the header: every call in every state, and the windows of retry and fail.
#include "check.h"

enum driver { START, NEXT, POLLED, WATCHED, DRIVERS };

static const eventsource_status CLOSED = EVENTSOURCE_STATUS_CLOSED, BUSY = EVENTSOURCE_STATUS_BUSY;

static int seen[7], wakes;
// One a registration: those of an accepted one are destroyed on the library's thread, whenever that is.
static int destroyed[1024], registrations;

static void on_event(void *user_data, const eventsource_event *event) {
  (void)user_data;
  count(&seen[eventsource_event_kind(event)]);
}
static void wake(void *user_data) {
  (void)user_data;
  count(&wakes);
}
static void destroy(void *user_data) {
  count(user_data);
}

static eventsource_status on(eventsource *source) {
  int *ended = &destroyed[registrations++];
  CHECK(registrations < 1024);
  eventsource_status status = eventsource_on(source, EVENTSOURCE_KIND_ANY, NULL, on_event, ended, destroy);
  if (status != EVENTSOURCE_STATUS_OK) CHECK(counted(ended) == 1);
  return status;
}
static eventsource_status start_polled(eventsource *source) {
  int *ended = &destroyed[registrations++];
  CHECK(registrations < 1024);
  eventsource_status status = eventsource_start_polled(source, wake, ended, destroy);
  if (status != EVENTSOURCE_STATUS_OK) CHECK(counted(ended) == 1);
  return status;
}

// Whether or not it is watched makes no difference to any call.
static bool watch(void *user_data, ptrdiff_t descriptor) {
  (void)user_data;
  (void)descriptor;
  return false;
}
static eventsource_status start_watched(eventsource *source) {
  int *ended = &destroyed[registrations++];
  CHECK(registrations < 1024);
  eventsource_status status = eventsource_start_watched(source, wake, watch, ended, destroy);
  if (status != EVENTSOURCE_STATUS_OK) CHECK(counted(ended) == 1);
  return status;
}

static bool no_event(void *user_data, const eventsource_event *event) {
  (void)user_data;
  (void)event;
  CHECK(!"there is no event");
  return true;
}

static void nothing_to_answer(eventsource *source) {
  CHECK(eventsource_retry(source, 0) == CLOSED);
  CHECK(eventsource_retry(source, -1) == CLOSED);
  CHECK(eventsource_fail(source, "no") == CLOSED);
}

static void overrides(eventsource *source, eventsource_status status, const char *url) {
  CHECK(eventsource_set_url(source, url) == status);
  CHECK(eventsource_set_header(source, "X-A", "1") == status);
  CHECK(eventsource_set_header(source, "X-A", NULL) == status);
  CHECK(eventsource_set_secret_header(source, "X-B", "1") == status);
}

// Another way to drive it than its own is refused, and event_out is NULL.
static void driven_otherwise(eventsource *source, enum driver driver) {
  const eventsource_event *event = (const eventsource_event *)seen;
  CHECK(on(source) == BUSY);
  CHECK(eventsource_start(source) == BUSY);
  CHECK(eventsource_run(source) == BUSY);
  CHECK(start_polled(source) == BUSY);
  CHECK(start_watched(source) == BUSY);
  if (driver != NEXT) {
    CHECK(eventsource_next(source, &event) == BUSY);
    CHECK(event == NULL);
  }
  if (driver == START) {
    event = (const eventsource_event *)seen;
    CHECK(eventsource_poll(source, &event) == BUSY);
    CHECK(event == NULL);
    CHECK(eventsource_poll_each(source, no_event, NULL) == BUSY);
  }
}

static void reset(void) {
  memset(seen, 0, sizeof seen);
  wakes = 0;
}

// Drives the source until an event of that kind has come.
static eventsource *driven(enum driver driver, const char *base, const char *path, eventsource_kind until) {
  reset();
  eventsource_config *config = config_for(base, path);
  OK(eventsource_config_set_retry(config, 3600000, 3600000));
  eventsource *source = NULL;
  OK(eventsource_new(config, &source));
  eventsource_config_free(config);
  const eventsource_event *event = NULL;
  if (driver == START) {
    OK(on(source));
    OK(eventsource_start(source));
    wait_for(&seen[until], 1);
    return source;
  }
  if (driver == POLLED) OK(start_polled(source));
  if (driver == WATCHED) OK(start_watched(source));
  for (int agains = 1; event == NULL || eventsource_event_kind(event) != until;) {
    eventsource_status status = driver == NEXT ? eventsource_next(source, &event) : eventsource_poll(source, &event);
    if (status == EVENTSOURCE_STATUS_AGAIN) wait_for(&wakes, agains++);
    else CHECK(status == EVENTSOURCE_STATUS_OK);
  }
  return source;
}

// The CLOSE event once, then CLOSED for good.
static void closes(eventsource *source, enum driver driver) {
  const eventsource_event *event = NULL;
  if (driver == START) {
    wait_for(&seen[EVENTSOURCE_KIND_CLOSE], 1);
  } else {
    OK(driver == NEXT ? eventsource_next(source, &event) : eventsource_poll(source, &event));
    CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE);
    CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_NONE);
    CHECK(eventsource_event_state(event) == EVENTSOURCE_STATE_CLOSED);
  }
  for (int twice = 0; twice < 2; ++twice) {
    event = (const eventsource_event *)seen;
    CHECK(eventsource_next(source, &event) == CLOSED);
    CHECK(event == NULL);
    event = (const eventsource_event *)seen;
    CHECK(eventsource_poll(source, &event) == CLOSED);
    CHECK(event == NULL);
    CHECK(eventsource_poll_each(source, no_event, NULL) == CLOSED);
    CHECK(on(source) == CLOSED);
    CHECK(eventsource_start(source) == CLOSED);
    CHECK(eventsource_run(source) == CLOSED);
    CHECK(start_polled(source) == CLOSED);
    CHECK(start_watched(source) == CLOSED);
  }
}

static void closed(eventsource *source) {
  CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CLOSED);
  CHECK(eventsource_close(source) == CLOSED);
  CHECK(eventsource_pause(source) == CLOSED);
  CHECK(eventsource_resume(source) == CLOSED);
  CHECK(eventsource_reconnect(source) == CLOSED);
  nothing_to_answer(source);
  overrides(source, CLOSED, "http://127.0.0.1:1/");
}

static void before_the_start(const char *base) {
  check_name = "before the start";
  const eventsource_event *event = (const eventsource_event *)seen;
  reset();
  eventsource *source = source_for(base, "/stall");
  CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CONNECTING);
  CHECK(eventsource_poll(source, &event) == EVENTSOURCE_STATUS_AGAIN);
  CHECK(event == NULL);
  CHECK(eventsource_poll_each(source, no_event, NULL) == EVENTSOURCE_STATUS_AGAIN);
  OK(eventsource_resume(source));
  OK(eventsource_reconnect(source));
  nothing_to_answer(source);
  char url[512];
  snprintf(url, sizeof url, "%s/stall", base);
  overrides(source, EVENTSOURCE_STATUS_OK, url);
  OK(eventsource_pause(source));
  CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_PAUSED);
  CHECK(eventsource_poll(source, &event) == EVENTSOURCE_STATUS_AGAIN);
  OK(eventsource_resume(source));
  CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CONNECTING);
  OK(on(source));
  OK(on(source));
  CHECK(start_polled(source) == BUSY);
  CHECK(start_watched(source) == BUSY);
  CHECK(eventsource_next(source, &event) == BUSY);
  CHECK(event == NULL);
  CHECK(eventsource_poll_each(source, no_event, NULL) == EVENTSOURCE_STATUS_AGAIN);
  OK(eventsource_start(source));
  wait_for(&seen[EVENTSOURCE_KIND_OPEN], 2);
  OK(eventsource_close(source));
  closes(source, START);
  eventsource_free(source);

  check_name = "started paused";
  for (enum driver driver = NEXT; driver < DRIVERS; ++driver) {
    reset();
    source = source_for(base, "/stall");
    OK(eventsource_pause(source));
    if (driver != NEXT) {
      OK(driver == POLLED ? start_polled(source) : start_watched(source));
      wait_for(&wakes, 1); // or that of the start may serve for the AGAIN, too
      CHECK(eventsource_poll_each(source, no_event, NULL) == EVENTSOURCE_STATUS_AGAIN);
      CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_PAUSED);
      int before = counted(&wakes);
      OK(eventsource_resume(source));
      wait_for(&wakes, before + 1);
      OK(eventsource_poll(source, &event));
    } else {
      OK(eventsource_resume(source));
      OK(eventsource_next(source, &event));
    }
    CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CONNECT);
    eventsource_free(source);
  }

  check_name = "closed before the start";
  for (int call = 0; call < 5; ++call) {
    reset();
    source = source_for(base, "/stall");
    if (call < 2) OK(on(source));
    OK(eventsource_close(source));
    closed(source);
    CHECK(on(source) == CLOSED);
    switch (call) {
      case 0:
        OK(eventsource_start(source));
        closes(source, START);
        break;
      case 1:
        OK(eventsource_run(source));
        CHECK(seen[EVENTSOURCE_KIND_CLOSE] == 1);
        closes(source, START);
        break;
      case 2:
        OK(start_polled(source));
        wait_for(&wakes, 1);
        closes(source, POLLED);
        break;
      case 3: closes(source, NEXT); break;
      default: closes(source, POLLED); break;
    }
    closed(source);
    for (int kind = 0; kind < EVENTSOURCE_KIND_CLOSE; ++kind) CHECK(seen[kind] == 0);
    eventsource_free(source);
  }
}

// Connecting, open and waiting, in each driver.
static void while_running(const char *base) {
  static const struct {
    const char *path;
    eventsource_kind until;
    eventsource_state state;
  } phases[] = {
      {"/silent", EVENTSOURCE_KIND_CONNECT, EVENTSOURCE_STATE_CONNECTING},
      {"/stall", EVENTSOURCE_KIND_MESSAGE, EVENTSOURCE_STATE_OPEN},
      {"/busy", EVENTSOURCE_KIND_ERROR, EVENTSOURCE_STATE_CONNECTING},
  };
  for (int phase = 0; phase < 3; ++phase)
    for (enum driver driver = START; driver < DRIVERS; ++driver) {
      char name[64];
      snprintf(name, sizeof name, "%s in driver %d", phases[phase].path, driver);
      check_name = name;
      const eventsource_event *event = NULL;
      eventsource *source = driven(driver, base, phases[phase].path, phases[phase].until);
      CHECK(eventsource_get_state(source) == phases[phase].state);
      driven_otherwise(source, driver);
      char url[512];
      snprintf(url, sizeof url, "%s/stall", base);
      if (driver >= POLLED) { // one more poll shuts the window of the last event
        CHECK(eventsource_poll(source, &event) == EVENTSOURCE_STATUS_AGAIN);
        nothing_to_answer(source);
      }
      overrides(source, EVENTSOURCE_STATUS_OK, url);
      OK(eventsource_resume(source));
      CHECK(eventsource_get_state(source) == phases[phase].state);

      OK(eventsource_pause(source));
      CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_PAUSED);
      OK(eventsource_pause(source));
      OK(eventsource_reconnect(source));
      CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_PAUSED);
      nothing_to_answer(source);
      overrides(source, EVENTSOURCE_STATUS_OK, url);
      driven_otherwise(source, driver);
      if (driver >= POLLED) CHECK(eventsource_poll(source, &event) == EVENTSOURCE_STATUS_AGAIN);

      OK(eventsource_resume(source));
      int opens = phases[phase].until == EVENTSOURCE_KIND_MESSAGE ? 2 : 1;
      if (driver == START) {
        wait_for(&seen[EVENTSOURCE_KIND_OPEN], opens);
      } else {
        do {
          eventsource_status status =
              driver == NEXT ? eventsource_next(source, &event) : eventsource_poll(source, &event);
          CHECK(status == EVENTSOURCE_STATUS_OK || (driver >= POLLED && status == EVENTSOURCE_STATUS_AGAIN));
        } while (event == NULL || eventsource_event_kind(event) != EVENTSOURCE_KIND_OPEN);
      }
      CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_OPEN);
      OK(eventsource_reconnect(source));
      CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CONNECTING);
      OK(eventsource_close(source));
      closed(source);
      // Whether or not CLOSE has come: what is driven already has nothing left to drive.
      CHECK(on(source) == CLOSED);
      CHECK(eventsource_start(source) == CLOSED);
      CHECK(eventsource_run(source) == CLOSED);
      CHECK(start_polled(source) == CLOSED);
      CHECK(start_watched(source) == CLOSED);
      closes(source, driver);
      closed(source);
      eventsource_free(source);
    }
}

// Nobody but the thread that is in next may be in there; the others may close.
static void *block(void *source) {
  const eventsource_event *event = NULL;
  for (;;) {
    switch (eventsource_next(source, &event)) {
      case EVENTSOURCE_STATUS_OK: count(&seen[eventsource_event_kind(event)]); break;
      case EVENTSOURCE_STATUS_BUSY: break; // the other thread was in there
      case EVENTSOURCE_STATUS_CLOSED: return NULL;
      default: CHECK(!"a status that next does not have");
    }
  }
}

static void blocked_next(const char *base) {
  check_name = "a thread blocks in next";
  for (int paused = 0; paused < 2; ++paused) {
    reset();
    eventsource *source = source_for(base, "/stall");
    const eventsource_event *event = (const eventsource_event *)seen;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, block, source) == 0);
    wait_for(&seen[EVENTSOURCE_KIND_MESSAGE], 1);
    if (paused) OK(eventsource_pause(source));
    eventsource_status status;
    // The thread may be between two calls for a moment; then this one is in there, and must not stay.
    do status = eventsource_poll(source, &event);
    while (status == EVENTSOURCE_STATUS_AGAIN);
    CHECK(status == BUSY);
    CHECK(event == NULL);
    do status = eventsource_poll_each(source, no_event, NULL);
    while (status == EVENTSOURCE_STATUS_AGAIN);
    CHECK(status == BUSY);
    CHECK(on(source) == BUSY);
    CHECK(eventsource_start(source) == BUSY);
    CHECK(eventsource_get_state(source) == (paused ? EVENTSOURCE_STATE_PAUSED : EVENTSOURCE_STATE_OPEN));
    OK(eventsource_close(source));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(seen[EVENTSOURCE_KIND_CLOSE] == 1);
    eventsource_free(source);
  }
}

// The windows, as a callback sees them. What the test wants is in user_data.
struct window {
  eventsource *source;
  const char *stall;
  int step;
};

static void in_window(void *user_data, const eventsource_event *event) {
  struct window *window = user_data;
  eventsource *source = window->source;
  switch (eventsource_event_kind(event)) {
    case EVENTSOURCE_KIND_CONNECT:
      CHECK(eventsource_retry(source, 0) == CLOSED);
      if (++window->step == 1) {
        OK(eventsource_fail(source, "no token"));
        OK(eventsource_fail(source, "still no token"));
      }
      break;
    case EVENTSOURCE_KIND_ERROR:
      CHECK(eventsource_fail(source, "no") == CLOSED);
      if (++window->step == 2) {
        CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_APPLICATION);
        CHECK(strstr(eventsource_event_data(event, NULL), "still no token") != NULL);
        CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CONNECTING);
        OK(eventsource_retry(source, 3600000));
        OK(eventsource_retry(source, 0));
      } else {
        // 404: final, and yet not over.
        CHECK(window->step == 4);
        CHECK(eventsource_event_http_status(event) == 404);
        CHECK(eventsource_event_retry_ms(event) == -1);
        CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CLOSED);
        CHECK(eventsource_pause(source) == CLOSED);
        CHECK(eventsource_resume(source) == CLOSED);
        CHECK(eventsource_reconnect(source) == CLOSED);
        overrides(source, EVENTSOURCE_STATUS_OK, window->stall);
        OK(eventsource_retry(source, 1));
        CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CLOSED);
      }
      break;
    case EVENTSOURCE_KIND_OPEN:
      CHECK(window->step++ == 5);
      nothing_to_answer(source);
      OK(eventsource_close(source));
      break;
    default:
      CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE);
      CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_NONE);
      closed(source);
  }
}

static void windows(const char *base) {
  check_name = "windows of retry and fail";
  char stall[512];
  snprintf(stall, sizeof stall, "%s/stall", base);
  struct window window = {source_for(base, "/missing"), stall, 0};
  OK(eventsource_on(window.source, EVENTSOURCE_KIND_ANY, NULL, in_window, &window, NULL));
  OK(eventsource_run(window.source));
  CHECK(window.step == 6);
  eventsource_free(window.source);

  check_name = "a final error that is closed";
  for (enum driver driver = NEXT; driver < DRIVERS; ++driver) {
    eventsource *source = driven(driver, base, "/missing", EVENTSOURCE_KIND_ERROR);
    CHECK(eventsource_get_state(source) == EVENTSOURCE_STATE_CLOSED);
    CHECK(eventsource_reconnect(source) == CLOSED);
    OK(eventsource_close(source));
    closed(source);
    closes(source, driver);
    eventsource_free(source);
  }
  check_name = "a final error that is left alone";
  for (enum driver driver = NEXT; driver < DRIVERS; ++driver) {
    const eventsource_event *event = NULL;
    eventsource *source = driven(driver, base, "/missing", EVENTSOURCE_KIND_ERROR);
    OK(driver == NEXT ? eventsource_next(source, &event) : eventsource_poll(source, &event));
    CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE);
    CHECK(eventsource_event_error(event) == EVENTSOURCE_ERROR_HTTP_STATUS);
    CHECK(eventsource_event_http_status(event) == 404);
    closed(source);
    eventsource_free(source);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  before_the_start(argv[1]);
  while_running(argv[1]);
  blocked_next(argv[1]);
  windows(argv[1]);
  return 0;
}
