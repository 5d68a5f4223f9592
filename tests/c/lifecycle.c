// Ending a source from everywhere: inside each kind of callback, inside wake and destroy, from outside in every phase.
// The path /once yields CONNECT OPEN COMMENT MESSAGE ERROR CONNECT CLOSE.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum action { CLOSE, FREE, RELEASE, ACTIONS };
enum { PLACES = 3 };

struct test;

// One registration: its place in the order, and what it saw.
struct place {
  struct test *test;
  int number, seen, seen_after, closes, destroys;
};

struct test {
  eventsource *source;
  enum action action;
  eventsource_kind at; // when place 1 acts
  int acted, order, ended;
  eventsource_error cause; // of CLOSE
  pthread_t thread;        // where CLOSE was delivered
  struct place places[PLACES];
};

static void act(struct test *test) {
  // Counted first: what follows may free the source, but not this test.
  count(&test->acted);
  switch (test->action) {
    case CLOSE:
      if (test->at == EVENTSOURCE_KIND_CLOSE) {
        CHECK(eventsource_close(test->source) == EVENTSOURCE_STATUS_CLOSED);
      } else {
        OK(eventsource_close(test->source));
        CHECK(eventsource_close(test->source) == EVENTSOURCE_STATUS_CLOSED);
      }
      break;
    case FREE: eventsource_free(test->source); break;
    default: eventsource_release(test->source); break;
  }
  // The object lives on while its callbacks run.
  CHECK(eventsource_get_state(test->source) == EVENTSOURCE_STATE_CLOSED);
  CHECK(eventsource_resume(test->source) == EVENTSOURCE_STATUS_CLOSED);
}

static void on_event(void *user_data, const eventsource_event *event) {
  struct place *place = user_data;
  struct test *test = place->test;
  eventsource_kind kind = eventsource_event_kind(event);
  CHECK(place->destroys == 0);
  CHECK(place->closes == 0);
  ++place->seen;
  if (test->acted) ++place->seen_after;
  if (kind == EVENTSOURCE_KIND_CLOSE) {
    ++place->closes;
    test->cause = eventsource_event_error(event);
    test->thread = pthread_self();
    CHECK(eventsource_get_state(test->source) == EVENTSOURCE_STATE_CLOSED);
  }
  if (place->number == 1 && kind == test->at && !test->acted) act(test);
}

static void on_destroy(void *user_data) {
  struct place *place = user_data;
  struct test *test = place->test;
  CHECK(++place->destroys == 1);
  CHECK(test->order++ == place->number);
  CHECK(place->closes == 1);
  CHECK(pthread_equal(test->thread, pthread_self()));
  if (place->number == PLACES - 1) count(&test->ended);
}

static void prepare(struct test *test, const char *base, const char *path) {
  memset(test, 0, sizeof *test);
  test->source = source_for(base, path);
  for (int i = 0; i < PLACES; ++i) {
    test->places[i].test = test;
    test->places[i].number = i;
    OK(eventsource_on(test->source, EVENTSOURCE_KIND_ANY, NULL, on_event, &test->places[i], on_destroy));
  }
}

static void finished(const struct test *test, bool acted_before_close) {
  CHECK(test->order == PLACES);
  for (int i = 0; i < PLACES; ++i) {
    CHECK(test->places[i].closes == 1 && test->places[i].destroys == 1);
    // After the deed nothing but CLOSE, the places behind it included.
    if (acted_before_close) CHECK(test->places[i].seen_after == 1);
  }
}

static void in_callbacks(const char *base) {
  static const char *const names[] = {"", "CONNECT", "OPEN", "MESSAGE", "COMMENT", "ERROR", "CLOSE"};
  for (int run = 0; run < 2; ++run)
    for (int action = 0; action < ACTIONS; ++action)
      for (int kind = EVENTSOURCE_KIND_CONNECT; kind <= EVENTSOURCE_KIND_CLOSE; ++kind) {
        char name[64];
        snprintf(name, sizeof name, "%s: action %d in %s", run ? "run" : "start", action, names[kind]);
        check_name = name;
        struct test test;
        prepare(&test, base, "/once");
        test.action = (enum action)action;
        test.at = (eventsource_kind)kind;
        if (run) {
          OK(eventsource_run(test.source));
          CHECK(test.ended == 1);
          CHECK(pthread_equal(test.thread, pthread_self()));
        } else {
          OK(eventsource_start(test.source));
        }
        wait_for(&test.ended, 1);
        CHECK(test.acted == 1);
        if (action == CLOSE) {
          CHECK(eventsource_start(test.source) == EVENTSOURCE_STATUS_CLOSED);
          eventsource_free(test.source);
        }
        finished(&test, kind != EVENTSOURCE_KIND_CLOSE);
        CHECK(test.cause == (kind == EVENTSOURCE_KIND_CLOSE ? EVENTSOURCE_ERROR_ENDED : EVENTSOURCE_ERROR_NONE));
      }
}

// From outside, in whatever phase: all is over when free returns, and release tells by destroy.
static void from_outside(const char *base, const char *hole) {
  // Nothing answers in the hole; /silent is never answered; /stall is open and idle; /busy gets 503 and waits.
  const char *const phases[][2] = {{hole, "/"}, {base, "/silent"}, {base, "/stall"}, {base, "/busy"}, {base, "/once"}};
  for (int phase = 0; phase < 5; ++phase)
    for (int action = 0; action < ACTIONS; ++action)
      for (int begun = 0; begun < 2; ++begun) {
        char name[64];
        snprintf(name, sizeof name, "outside: action %d on %s, begun %d", action, phases[phase][1], begun);
        check_name = name;
        struct test test;
        prepare(&test, phases[phase][0], phases[phase][1]);
        OK(eventsource_start(test.source));
        struct place late = {.test = &test, .number = 0};
        eventsource_status refused = eventsource_on(test.source, EVENTSOURCE_KIND_ANY, NULL, on_event, NULL, NULL);
        // The last ends of itself.
        CHECK(refused == EVENTSOURCE_STATUS_BUSY || (phase == 4 && refused == EVENTSOURCE_STATUS_CLOSED));
        CHECK(late.destroys == 0);
        // Some while it connects at the latest, some at once.
        if (begun) usleep(20000);
        switch (action) {
          case CLOSE:
            eventsource_close(test.source);
            eventsource_close(test.source);
            CHECK(eventsource_get_state(test.source) == EVENTSOURCE_STATE_CLOSED);
            eventsource_free(test.source);
            CHECK(test.ended == 1);
            break;
          case FREE:
            eventsource_free(test.source);
            CHECK(test.ended == 1);
            break;
          default: eventsource_release(test.source); break;
        }
        wait_for(&test.ended, 1);
        finished(&test, false);
      }
}

// Free in destroy, if nobody has called it yet.
static void free_in_destroy(void *user_data) {
  struct test *test = ((struct place *)user_data)->test;
  eventsource_close(test->source);
  CHECK(eventsource_get_state(test->source) == EVENTSOURCE_STATE_CLOSED);
  eventsource_free(test->source);
  count(&test->ended);
}

static void count_destroy(void *user_data) {
  count(&((struct place *)user_data)->test->ended);
}

static void in_destroy(const char *base) {
  for (int run = 0; run < 2; ++run) {
    check_name = run ? "free in destroy, run" : "free in destroy, start";
    struct test test;
    memset(&test, 0, sizeof test);
    test.source = source_for(base, "/once");
    test.places[0].test = &test;
    test.at = EVENTSOURCE_KIND_ANY;
    OK(eventsource_on(test.source, EVENTSOURCE_KIND_ANY, NULL, on_event, &test.places[0], NULL));
    OK(eventsource_on(test.source, EVENTSOURCE_KIND_OPEN, NULL, on_event, &test.places[0], free_in_destroy));
    if (run) OK(eventsource_run(test.source));
    else OK(eventsource_start(test.source));
    wait_for(&test.ended, 1);
    CHECK(test.places[0].closes == 1);
  }
  check_name = "free in destroy of what could not be registered";
  struct test test;
  memset(&test, 0, sizeof test);
  test.source = source_for(base, "/once");
  test.places[0].test = &test;
  CHECK(eventsource_on(test.source, EVENTSOURCE_KIND_ANY, NULL, NULL, &test.places[0], free_in_destroy) ==
        EVENTSOURCE_STATUS_NULL_ARGUMENT);
  CHECK(test.ended == 1);

  check_name = "free in destroy of what came too late";
  memset(&test, 0, sizeof test);
  test.source = source_for(base, "/once");
  test.places[0].test = test.places[1].test = &test;
  OK(eventsource_on(test.source, EVENTSOURCE_KIND_ANY, NULL, on_event, &test.places[1], count_destroy));
  OK(eventsource_close(test.source));
  CHECK(eventsource_on(test.source, EVENTSOURCE_KIND_ANY, NULL, on_event, &test.places[0], free_in_destroy) ==
        EVENTSOURCE_STATUS_CLOSED);
  CHECK(test.ended == 2);
}

// The event loop.
struct loop {
  eventsource *source;
  enum action action;
  int wakes, act_at, acted, destroys;
};

static bool busy(void *user_data, const eventsource_event *event) {
  (void)user_data;
  (void)event;
  CHECK(!"it is busy");
  return true;
}

static void wake(void *user_data) {
  struct loop *loop = user_data;
  const eventsource_event *event = (const eventsource_event *)loop;
  CHECK(loop->destroys == 0);
  if (counted(&loop->wakes) + 1 == loop->act_at) {
    switch (loop->action) {
      case CLOSE: OK(eventsource_close(loop->source)); break;
      case FREE: eventsource_free(loop->source); break;
      default: eventsource_release(loop->source); break;
    }
    count(&loop->acted);
  } else if (loop->act_at == 0) {
    CHECK(eventsource_poll(loop->source, &event) == EVENTSOURCE_STATUS_BUSY);
    CHECK(event == NULL);
    CHECK(eventsource_poll_each(loop->source, NULL, NULL) == EVENTSOURCE_STATUS_NULL_ARGUMENT);
    CHECK(eventsource_poll_each(loop->source, busy, NULL) == EVENTSOURCE_STATUS_BUSY);
  }
  count(&loop->wakes);
}

static void loop_destroy(void *user_data) {
  count(&((struct loop *)user_data)->destroys);
}

static void polled(const char *base) {
  check_name = "polled to the end";
  struct loop loop;
  memset(&loop, 0, sizeof loop);
  loop.source = source_for(base, "/once");
  OK(eventsource_start_polled(loop.source, wake, &loop, loop_destroy));
  CHECK(eventsource_start(loop.source) == EVENTSOURCE_STATUS_BUSY);
  const eventsource_event *event;
  char kinds[32] = "";
  // Each AGAIN wakes once, and only once. The first wake is that of start_polled. None is still in wake, which polls, too.
  wait_for(&loop.wakes, 1);
  for (int agains = 1, last = 0; last != EVENTSOURCE_KIND_CLOSE;) {
    eventsource_status status = eventsource_poll(loop.source, &event);
    if (status == EVENTSOURCE_STATUS_AGAIN) {
      CHECK(event == NULL);
      wait_for(&loop.wakes, ++agains);
      continue;
    }
    CHECK(status == EVENTSOURCE_STATUS_OK);
    last = (int)eventsource_event_kind(event);
    kinds[strlen(kinds)] = (char)('0' + last);
  }
  SAME(kinds, "1243516");
  CHECK(eventsource_poll(loop.source, &event) == EVENTSOURCE_STATUS_CLOSED);
  wait_for(&loop.destroys, 1);
  eventsource_free(loop.source);
  CHECK(loop.destroys == 1);

  // Often, since the wake may come before the poll that it answers has returned.
  for (int round = 0; round < 30 * ACTIONS; ++round)
    for (int action = round % ACTIONS, at = 1; at <= 3; ++at) {
      char name[64];
      snprintf(name, sizeof name, "polled: action %d in wake %d", action, at);
      check_name = name;
      memset(&loop, 0, sizeof loop);
      loop.action = (enum action)action;
      loop.act_at = at;
      loop.source = source_for(base, "/once");
      OK(eventsource_start_polled(loop.source, wake, &loop, loop_destroy));
      for (int wakes = 1; wakes <= at; ++wakes) {
        wait_for(&loop.wakes, wakes);
        if (wakes < at) {
          eventsource_status status;
          do status = eventsource_poll(loop.source, &event);
          while (status == EVENTSOURCE_STATUS_OK);
          CHECK(status == EVENTSOURCE_STATUS_AGAIN);
        }
      }
      CHECK(counted(&loop.acted) == 1);
      if (action == CLOSE) {
        OK(eventsource_poll(loop.source, &event));
        CHECK(eventsource_event_kind(event) == EVENTSOURCE_KIND_CLOSE);
        eventsource_free(loop.source);
        CHECK(loop.destroys == 1);
      }
      wait_for(&loop.destroys, 1);
    }

  // In the first wake, which may come before start_polled has returned.
  for (int i = 0; i < 500; ++i) {
    check_name = "polled: released in the first wake";
    memset(&loop, 0, sizeof loop);
    loop.action = i % 2 ? FREE : RELEASE;
    loop.act_at = 1;
    loop.source = source_for(base, "/once");
    OK(eventsource_start_polled(loop.source, wake, &loop, loop_destroy));
    wait_for(&loop.destroys, 1);
    CHECK(loop.acted == 1);
  }

  // From the loop's own thread, with events unpolled.
  for (int action = FREE; action < ACTIONS; ++action)
    for (int wakes = 0; wakes < 3; ++wakes) {
      check_name = "polled: ended from outside";
      memset(&loop, 0, sizeof loop);
      loop.source = source_for(base, "/stall");
      OK(eventsource_start_polled(loop.source, wake, &loop, loop_destroy));
      for (int seen = 1; seen <= wakes; ++seen) {
        wait_for(&loop.wakes, seen);
        while (eventsource_poll(loop.source, &event) == EVENTSOURCE_STATUS_OK) continue;
      }
      if (action == FREE) {
        eventsource_free(loop.source);
        CHECK(loop.destroys == 1);
      } else {
        eventsource_release(loop.source);
      }
      wait_for(&loop.destroys, 1);
    }
}

// The event loop, many events a call.
struct drain {
  struct loop loop;
  bool one_by_one;
  int act_at; // an eventsource_kind, or 0
  const eventsource_event *last;
  char kinds[32];
};

static bool each(void *user_data, const eventsource_event *event) {
  struct drain *drain = user_data;
  struct loop *loop = &drain->loop;
  eventsource_kind kind = eventsource_event_kind(event);
  const eventsource_event *other = event;
  CHECK(loop->acted == 0 || (loop->action == CLOSE && kind == EVENTSOURCE_KIND_CLOSE));
  CHECK(eventsource_poll(loop->source, &other) == EVENTSOURCE_STATUS_BUSY);
  CHECK(other == NULL);
  CHECK(eventsource_next(loop->source, &other) == EVENTSOURCE_STATUS_BUSY);
  CHECK(other == NULL);
  CHECK(eventsource_poll_each(loop->source, busy, NULL) == EVENTSOURCE_STATUS_BUSY);
  drain->last = event;
  drain->kinds[strlen(drain->kinds)] = (char)('0' + kind);
  if ((int)kind == drain->act_at && loop->acted == 0) {
    ++loop->acted;
    switch (loop->action) {
      case CLOSE: CHECK(eventsource_close(loop->source) >= 0); break;
      case FREE: eventsource_free(loop->source); break;
      default: eventsource_release(loop->source); break;
    }
    CHECK(eventsource_event_kind(event) == kind); // still there
  }
  return !drain->one_by_one;
}

static void drained(const char *base) {
  struct drain drain;
  for (int one_by_one = 0; one_by_one < 2; ++one_by_one)
    for (int pulled = 0; pulled < 2; ++pulled) {
      check_name = "drained to the end";
      memset(&drain, 0, sizeof drain);
      drain.loop.act_at = -1;
      drain.one_by_one = one_by_one;
      eventsource *source = drain.loop.source = source_for(base, "/once");
      if (!pulled) OK(eventsource_start_polled(source, wake, &drain.loop, loop_destroy));
      const eventsource_event *event;
      eventsource_status status;
      int agains = 1;
      while ((status = eventsource_poll_each(source, each, &drain)) != EVENTSOURCE_STATUS_CLOSED) {
        if (status == EVENTSOURCE_STATUS_OK) {
          CHECK(one_by_one);
          // On loan still.
          CHECK(eventsource_event_kind(drain.last) == (eventsource_kind)(drain.kinds[strlen(drain.kinds) - 1] - '0'));
        } else {
          CHECK(status == EVENTSOURCE_STATUS_AGAIN);
          if (!pulled) wait_for(&drain.loop.wakes, agains++);
          else if (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK)
            drain.kinds[strlen(drain.kinds)] = (char)('0' + eventsource_event_kind(event));
        }
      }
      SAME(drain.kinds, "1243516");
      eventsource_free(source);
      CHECK(drain.loop.destroys == !pulled);
    }

  // Where each acts, there is no other event but, after close, CLOSE.
  for (int action = CLOSE; action < ACTIONS; ++action)
    for (int at = EVENTSOURCE_KIND_CONNECT; at <= EVENTSOURCE_KIND_CLOSE; ++at) {
      char name[64];
      snprintf(name, sizeof name, "drained: action %d in kind %d", action, at);
      check_name = name;
      memset(&drain, 0, sizeof drain);
      drain.loop.act_at = -1;
      drain.loop.action = (enum action)action;
      drain.act_at = at;
      drain.loop.source = source_for(base, "/once");
      OK(eventsource_start_polled(drain.loop.source, wake, &drain.loop, loop_destroy));
      int agains = 1;
      while (eventsource_poll_each(drain.loop.source, each, &drain) == EVENTSOURCE_STATUS_AGAIN) {
        CHECK(drain.loop.acted == 0);
        wait_for(&drain.loop.wakes, agains++);
      }
      CHECK(drain.loop.acted == 1);
      char expected[32];
      snprintf(expected, sizeof expected, "%.*s%s", (int)(strchr("1243516", '0' + at) - "1243516") + 1, "1243516",
               action == CLOSE && at != EVENTSOURCE_KIND_CLOSE ? "6" : "");
      SAME(drain.kinds, expected);
      if (action == CLOSE) eventsource_free(drain.loop.source);
      wait_for(&drain.loop.destroys, 1);
    }
}

// The event loop that waits for the connection itself.
struct watched {
  eventsource *source;
  int bell[2];    // a pipe, written to by wake
  int descriptor; // -1: none
  bool refuses, ending;
  int watches, destroys;
  pthread_t loop;
};

static void ring(void *user_data) {
  struct watched *w = user_data;
  CHECK(write(w->bell[1], "!", 1) == 1);
}

static bool watch(void *user_data, ptrdiff_t descriptor) {
  struct watched *w = user_data;
  const eventsource_event *event = (const eventsource_event *)w;
  CHECK(counted(&w->destroys) == 0);
  CHECK(pthread_equal(pthread_self(), w->loop));
  CHECK((w->descriptor == -1) != (descriptor == -1));
  if (!w->ending) {
    CHECK(eventsource_poll(w->source, &event) == EVENTSOURCE_STATUS_BUSY);
    CHECK(event == NULL);
  }
  // The one that is given is open, the one that is taken back is so still.
  CHECK(fcntl(descriptor == -1 ? w->descriptor : (int)descriptor, F_GETFD) != -1);
  ++w->watches;
  if (w->refuses) return false;
  w->descriptor = (int)descriptor;
  return true;
}

static void watched_destroy(void *user_data) {
  struct watched *w = user_data;
  CHECK(w->descriptor == -1);
  count(&w->destroys);
}

// Polls until there has been an event of that kind. True: CLOSED instead.
static bool watch_until(struct watched *w, eventsource_kind kind) {
  const eventsource_event *event;
  for (;;) {
    eventsource_status status = eventsource_poll(w->source, &event);
    if (status == EVENTSOURCE_STATUS_CLOSED) return true;
    if (status == EVENTSOURCE_STATUS_OK) {
      if (eventsource_event_kind(event) == kind) return false;
      continue;
    }
    CHECK(status == EVENTSOURCE_STATUS_AGAIN);
    struct pollfd set[2] = {{.fd = w->bell[0], .events = POLLIN}, {.fd = w->descriptor, .events = POLLIN}};
    CHECK(poll(set, 2, 30000) > 0);
    char rings[2];
    if (set[0].revents != 0) CHECK(read(w->bell[0], rings, 2) >= 1); // two where the start's has not been waited for
  }
}

static void watched(const char *base) {
  static const char *const ends[] = {"close", "free", "release", "close and free"};
  for (int round = 0; round < 40; ++round)
    for (int refuses = 0; refuses < 2; ++refuses)
      for (int end = 0; end < 4; ++end)
        for (int at = EVENTSOURCE_KIND_OPEN; at <= EVENTSOURCE_KIND_MESSAGE; ++at) {
          char name[64];
          snprintf(name, sizeof name, "watched: %s", ends[end]);
          check_name = name;
          struct watched w;
          memset(&w, 0, sizeof w);
          w.descriptor = -1;
          w.refuses = refuses;
          w.loop = pthread_self();
          CHECK(pipe(w.bell) == 0);
          w.source = source_for(base, round % 4 < 2 ? "/stall" : "/once");
          OK(eventsource_start_watched(w.source, ring, watch, &w, watched_destroy));
          CHECK(!watch_until(&w, (eventsource_kind)at));
          // Perhaps until there is nothing; then it is watched.
          const eventsource_event *event;
          while (round % 2 && eventsource_poll(w.source, &event) == EVENTSOURCE_STATUS_OK) continue;
          if (end == 0) {
            CHECK(eventsource_close(w.source) >= 0);
            watch_until(&w, EVENTSOURCE_KIND_CLOSE);
            CHECK(w.descriptor == -1);
            CHECK(watch_until(&w, EVENTSOURCE_KIND_CLOSE));
          }
          if (end == 3) CHECK(eventsource_close(w.source) >= 0);
          w.ending = true;
          if (end == 2) eventsource_release(w.source);
          else eventsource_free(w.source);
          CHECK(w.descriptor == -1);
          wait_for(&w.destroys, 1);
          CHECK(w.watches <= 1 || !refuses);
          close(w.bell[0]);
          close(w.bell[1]);
        }
}

// Another thread blocks in next; close unblocks it, then free.
static void *pull(void *source) {
  const eventsource_event *event;
  int events = 0;
  while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) ++events;
  return (void *)(intptr_t)events;
}

static void pulled(const char *base, const char *hole) {
  check_name = "pulled";
  for (int i = 0; i < 20; ++i) {
    eventsource *source = source_for(i % 2 ? hole : base, "/stall");
    pthread_t thread;
    void *events = NULL;
    CHECK(pthread_create(&thread, NULL, pull, source) == 0);
    usleep((useconds_t)(i * 500));
    OK(eventsource_close(source));
    CHECK(pthread_join(thread, &events) == 0);
    CHECK((intptr_t)events >= 1);
    eventsource_free(source);
  }
}

// Many sources, each ended by a thread of its own at some moment, while another thread disturbs it.
static void *disturb(void *source) {
  for (int i = 0; i < 50; ++i) {
    eventsource_reconnect(source);
    eventsource_pause(source);
    eventsource_set_header(source, "X-Try", "1");
    eventsource_get_state(source);
    eventsource_resume(source);
  }
  return NULL;
}

static void storm(const char *base) {
  check_name = "storm";
  for (int i = 0; i < 60; ++i) {
    struct test test;
    prepare(&test, base, i % 2 ? "/stall" : "/once");
    OK(eventsource_start(test.source));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, disturb, test.source) == 0);
    usleep((useconds_t)(i * 37 % 1500));
    eventsource_close(test.source);
    CHECK(pthread_join(thread, NULL) == 0);
    if (i % 3) eventsource_free(test.source);
    else eventsource_release(test.source);
    wait_for(&test.ended, 1);
    finished(&test, false);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  in_callbacks(argv[1]);
  in_destroy(argv[1]);
  from_outside(argv[1], argv[2]);
  polled(argv[1]);
  drained(argv[1]);
  watched(argv[1]);
  pulled(argv[1], argv[2]);
  storm(argv[1]);
  return 0;
}
