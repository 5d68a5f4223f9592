// libeventsource: Server-Sent Events in C. One stream, kept up for as long as you want it.
//
// This file is the manual. It is made of src/ffi by build.rs: change it there.
//
//     #include <eventsource.h>
//     #include <stdio.h>
//
//     int main(int argc, char **argv) {
//       eventsource_config *config;
//       eventsource *source;
//       const eventsource_event *event;
//       if (argc != 2 || eventsource_config_new(argv[1], &config) != EVENTSOURCE_STATUS_OK) return 2;
//       if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) return 2;
//       eventsource_config_free(config);
//       while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK)
//         if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) puts(eventsource_event_data(event, NULL));
//       eventsource_free(source);
//       return 0;
//     }
//
// CONTRACT. What is said here holds everywhere below and is not said again.
//
// Ownership. What a function stores through an output argument is yours: free it once, with its type's own function.
//   Events are the exception: they are on loan. Functions that free accept NULL. Inputs are copied. Strings handed to
//   you are on loan too: UTF-8, never NULL unless that is said, and ended by a NUL that is not counted. They may hold
//   NULs inside: each getter also reports the length, where its size_t pointer is not NULL.
// Errors. A function that can fail returns a status; below 0 it has changed nothing, and its output is NULL. A NULL
//   argument, a string that is not UTF-8 and a fault inside the library are statuses, never crashes. What goes wrong on
//   the network is no status but an event.
// Threads. A function that takes its source const may be called from any thread, beside any other, until the source is
//   freed. All others belong to one thread at a time. Nothing may overlap or follow eventsource_free or
//   eventsource_release, a blocked eventsource_next or eventsource_run included: close, wait until it has returned, then
//   free, once. Excepted are the source's own callbacks while free waits: they may call anything but free and release.
// Callbacks return as functions do: no longjmp, no C++ exception, no pthread_exit. Nothing here is for signal handlers,
//   or for the child after a fork.
// Evolution. Numbers never change their meaning. New kinds, errors, states and statuses may come: ignore a kind that you
//   do not know, treat an unknown error as INTERNAL and an unknown negative status as failure.
//
// ONE SOURCE, FOUR WAYS TO DRIVE IT. Choose one for each source.
//   eventsource_on + eventsource_start            callbacks on a thread of the library's
//   eventsource_on + eventsource_run              callbacks on your thread, until CLOSE
//   eventsource_next                              you ask, and block
//   eventsource_start_polled + eventsource_poll   an event loop: wake tells you when to poll; nothing blocks
//   eventsource_start_watched + eventsource_poll  the same where the loop can wait for descriptors: less to be woken
// While nobody asks, nothing is read: TCP makes the server wait. There is no queue of events, so none is lost or piles up.
//
// WHAT A SOURCE YIELDS: (CONNECT [OPEN (MESSAGE | COMMENT | ERROR too large)*] [ERROR])* CLOSE
//   Each attempt begins with CONNECT, right before it. No ERROR follows pause, reconnect, close, 204 (but with
//   eventsource_config_set_standard_status) or the complete end of a stream that is not to be repeated. CLOSE comes exactly
//   once, as the last; alone where a source was closed before its first attempt; not at all where it was never driven.
//
//   kind     type       data             id           url             error        state       http_status  retry_ms
//   CONNECT  "connect"  ""               to be sent   where to        NONE         CONNECTING  0            -1
//   OPEN     "open"     ""               last         final URL       NONE         OPEN        200          -1
//   MESSAGE  the type   the data         last         final URL       NONE         OPEN        200          -1
//   COMMENT  "comment"  the text         last         final URL       NONE         OPEN        200          -1
//   ERROR    "error"    reason in words  last         last URL tried  the cause    see below   or 0         the wait
//   CLOSE    "close"    reason in words  last         last URL tried  see below    CLOSED      last, or 0   -1
//   (no event)  ""      ""               ""           ""              NONE         CONNECTING  0            -1
//
//   ERROR: the state is CONNECTING where another attempt will follow, CLOSED where none will (retry_ms is -1), OPEN where
//   one event was too large and the stream goes on. CLOSE: the error is NONE where you asked for it, ENDED for 204 or the
//   end of a stream that is not to be repeated, else the cause of the final ERROR. No URL shown holds credentials.
//
// DECIDING ON A FAILURE. ERROR comes before the wait: until its callback ends, or the next event is asked for,
//   eventsource_retry chooses the delay, or revives a source whose error was final. CONNECT comes after the wait: a header
//   or URL set in it goes with that very attempt, and eventsource_fail calls it off. A callback may block to fetch a token
//   (and must end its own wait when you close the source); in an event loop do not poll again until you have it.
//
// CLOSE, FREE, DESTROY. eventsource_close may be called by anybody at any time; it ends what blocks. eventsource_free
//   waits until all is over; in any callback of the library, and as eventsource_release, it never waits. destroy is called
//   exactly once for each registration, after CLOSE, in the order of registration, on the thread that delivered it (in
//   an event loop, on the library's, as its last act); or before the function returns that was to register it and failed;
//   or in eventsource_free where the source was never driven. destroy may call any function, eventsource_free included if
//   nobody has called it yet.
//
//   call          before the start     connecting, open, waiting    paused          closed
//   on            OK                   BUSY                         BUSY            CLOSED
//   start, run    OK                   BUSY                         BUSY            OK once, for CLOSE; then CLOSED
//   start_polled  OK; BUSY after on    BUSY                         BUSY            OK once, for CLOSE; then CLOSED
//   start_watched  the same
//   next          OK; BUSY after on    OK; BUSY if driven else      blocks          OK once, for CLOSE; then CLOSED
//   poll(_each)   AGAIN                OK or AGAIN; BUSY after on   AGAIN           OK once, for CLOSE; then CLOSED
//   pause         begins paused        OK, at once                  OK              CLOSED
//   resume        undoes pause         OK, nothing to do            OK, connects    CLOSED
//   reconnect     OK, nothing to do    OK, at once                  OK, no effect   CLOSED
//   close         OK                   OK                           OK              CLOSED
//   retry, fail   CLOSED               OK as said above             CLOSED          CLOSED
//   set_url, set_header  OK            OK, for the next attempt     OK              CLOSED
//   From a final ERROR until its callback ends or the next event is asked for, the state is CLOSED already, but retry,
//   set_url and set_header still work.


#ifndef EVENTSOURCE_H
#define EVENTSOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of this header; eventsource_version says that of the library.
#define EVENTSOURCE_VERSION "0.1.0"
#define EVENTSOURCE_VERSION_MAJOR 0
#define EVENTSOURCE_VERSION_MINOR 1
#define EVENTSOURCE_VERSION_PATCH 0
#define EVENTSOURCE_VERSION_NUMBER \
  (EVENTSOURCE_VERSION_MAJOR * 1000000 + EVENTSOURCE_VERSION_MINOR * 1000 + EVENTSOURCE_VERSION_PATCH)

// What a function answers. Below 0: it failed and changed nothing.
typedef enum {
  // Done.
  EVENTSOURCE_STATUS_OK = 0,
  // The source is closed, or there is nothing left that the call could act on. Not a failure.
  EVENTSOURCE_STATUS_CLOSED = 1,
  // There is no event now. Not a failure.
  EVENTSOURCE_STATUS_AGAIN = 2,
  // A pointer is NULL that must not be.
  EVENTSOURCE_STATUS_NULL_ARGUMENT = -1,
  // A string is not UTF-8.
  EVENTSOURCE_STATUS_INVALID_UTF8 = -2,
  // Not an absolute http or https URL that can be connected to.
  EVENTSOURCE_STATUS_INVALID_URL = -3,
  // A header that HTTP cannot carry or that is the library's own to set.
  EVENTSOURCE_STATUS_INVALID_HEADER = -4,
  // A number or a word outside its range.
  EVENTSOURCE_STATUS_INVALID_ARGUMENT = -5,
  // PEM text or a pin that is damaged or does not fit together.
  EVENTSOURCE_STATUS_INVALID_CERTIFICATE = -6,
  // The source is driven in another way or by another thread, or the process has a logger already.
  EVENTSOURCE_STATUS_BUSY = -7,
  // The system has no thread or memory to give. The call may be made again.
  EVENTSOURCE_STATUS_OUT_OF_RESOURCES = -8,
  // A fault in this library. Please report it.
  EVENTSOURCE_STATUS_PANIC = -9,
  // This build of the library cannot do that.
  EVENTSOURCE_STATUS_UNSUPPORTED = -10,
} eventsource_status;

// Where a source stands.
typedef enum {
  // Connecting, or waiting to connect again. A source begins here.
  EVENTSOURCE_STATE_CONNECTING = 0,
  // A stream is open.
  EVENTSOURCE_STATE_OPEN = 1,
  // Closed for good.
  EVENTSOURCE_STATE_CLOSED = 2,
  // Paused with eventsource_pause.
  EVENTSOURCE_STATE_PAUSED = 3,
} eventsource_state;

// What kind of event it is.
typedef enum {
  // For eventsource_on: every kind. No event has it, but a NULL event does.
  EVENTSOURCE_KIND_ANY = 0,
  // An attempt is about to begin. Headers and URL set now go with it; eventsource_fail calls it off.
  EVENTSOURCE_KIND_CONNECT = 1,
  // The server accepted: a stream is open.
  EVENTSOURCE_KIND_OPEN = 2,
  // An event of the stream.
  EVENTSOURCE_KIND_MESSAGE = 3,
  // A comment of the stream, often sent to keep the connection alive.
  EVENTSOURCE_KIND_COMMENT = 4,
  // An attempt failed or the stream broke. Comes before the wait; eventsource_retry changes what follows.
  EVENTSOURCE_KIND_ERROR = 5,
  // The last event of a source, exactly once.
  EVENTSOURCE_KIND_CLOSE = 6,
} eventsource_kind;

// Why an ERROR or a CLOSE came.
typedef enum {
  // Nothing is wrong, or the close was asked for.
  EVENTSOURCE_ERROR_NONE = 0,
  // The server ended the stream, or said with 204 that there is nothing more.
  EVENTSOURCE_ERROR_ENDED = 1,
  // The host's name could not be looked up.
  EVENTSOURCE_ERROR_DNS = 2,
  // No address of the host accepted a connection.
  EVENTSOURCE_ERROR_CONNECT = 3,
  // The TLS handshake failed, or the certificate did not verify.
  EVENTSOURCE_ERROR_TLS = 4,
  // The proxy refused, or could not reach the server.
  EVENTSOURCE_ERROR_PROXY = 5,
  // The connection broke, or what came over it was not HTTP.
  EVENTSOURCE_ERROR_IO = 6,
  // One of the configured timeouts passed.
  EVENTSOURCE_ERROR_TIMED_OUT = 7,
  // The server answered with a status that opens no stream.
  EVENTSOURCE_ERROR_HTTP_STATUS = 8,
  // The server answered 200, but with another type than text/event-stream.
  EVENTSOURCE_ERROR_CONTENT_TYPE = 9,
  // The response has a content coding that the library does not know.
  EVENTSOURCE_ERROR_ENCODING = 10,
  // A redirect led nowhere: too many, no usable Location, or from https to http.
  EVENTSOURCE_ERROR_REDIRECT = 11,
  // One event was larger than the limit or than memory allows. The stream goes on behind it.
  EVENTSOURCE_ERROR_EVENT_TOO_LARGE = 12,
  // eventsource_fail was called.
  EVENTSOURCE_ERROR_APPLICATION = 13,
  // A fault in this library. Please report it.
  EVENTSOURCE_ERROR_INTERNAL = 14,
} eventsource_error;

// When a source connects again.
typedef enum {
  // GET always. Other methods, which may cost money when repeated, only while the server has done nothing: no byte of
  // the request was written, or it answered 425, 429 or 503.
  EVENTSOURCE_RECONNECT_AUTO = 0,
  // Every method as GET.
  EVENTSOURCE_RECONNECT_ALWAYS = 1,
  // Never: one request, whatever becomes of it.
  EVENTSOURCE_RECONNECT_NEVER = 2,
} eventsource_reconnect_mode;

// How much is logged: this and all above it.
typedef enum {
  // Nothing.
  EVENTSOURCE_LOG_OFF = 0,
  // What should not happen.
  EVENTSOURCE_LOG_ERROR = 1,
  // What may be a mistake.
  EVENTSOURCE_LOG_WARN = 2,
  // Connections made and lost.
  EVENTSOURCE_LOG_INFO = 3,
  // What is needed to find a fault.
  EVENTSOURCE_LOG_DEBUG = 4,
  // Reserved: release builds write nothing at this level.
  EVENTSOURCE_LOG_TRACE = 5,
} eventsource_log_level;

// A stream that connects again until it is closed. Functions that take it const may be called from any thread at any time
// until it is freed; the others belong to one thread at a time, and those that can see an overlap answer BUSY.
typedef struct eventsource eventsource;

// Where to connect and how. Yours alone until it is freed; one config may make many sources, and be changed or freed
// afterwards.
//
// Every setter copies and checks, and changes nothing if it refuses. A config remembers its first refused setter:
// eventsource_new returns that status, so that checking there is enough.
typedef struct eventsource_config eventsource_config;

// Something that happened. On loan to the one thread that was handed it, until the next eventsource_next,
// eventsource_poll(_each) or free of its source, or the end of the callback. eventsource_event_clone makes one to keep.
typedef struct eventsource_event eventsource_event;

// Gets what the library logs. level is an eventsource_log_level; target names the part of the library. Both strings are
// on loan for the call. May be called by any thread, several at once; what it makes the library log itself is dropped.
typedef void (*eventsource_log_fn)(void *user_data, int level, const char *target, const char *message);

// Is called once, when user_data is needed no more. NULL: nobody needs to know.
typedef void (*eventsource_destroy_fn)(void *user_data);

// Is called with each event it is registered for; the event is on loan for the call. It may call any function.
typedef void (*eventsource_callback_fn)(void *user_data, const eventsource_event *event);

// Is called when eventsource_poll has something; must not block.
typedef void (*eventsource_wake_fn)(void *user_data);

// Is called with a descriptor to wait for besides wake, and says whether that is done; with -1 when there is none to wait
// for any more, before it is closed.
typedef bool (*eventsource_watch_fn)(void *user_data, ptrdiff_t descriptor);

// Is called with one event after another. true: go on; false: eventsource_poll_each returns. It may call any function;
// those that ask for an event are BUSY in there, and a free takes effect when eventsource_poll_each returns.
typedef bool (*eventsource_each_fn)(void *user_data, const eventsource_event *event);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// A status in words, for logs. Never NULL; lives for ever. Words for one attempt or one option are in the event's data
// and in eventsource_config_error.
const char *eventsource_status_text(int status);

// An eventsource_error in words, for logs. Never NULL; lives for ever.
const char *eventsource_error_text(int error);

// The version of the library at run time, such as "1.2.3". EVENTSOURCE_VERSION is that of this header.
const char *eventsource_version(void);

// The same as a number: major * 1 000 000 + minor * 1 000 + patch.
uint32_t eventsource_version_number(void);

// Sends what the library logs to a function; replaces the one before. Process-wide. max_level is an
// eventsource_log_level. log NULL takes the function away. The function that is taken away or replaced is not called
// any more once this returns, and its destroy has returned, since calls in progress are waited for; only inside of the
// log function nothing is waited for. No header value and no body is ever logged.
// BUSY: the process, a Rust program, has a logger of its own.
eventsource_status eventsource_set_log(int max_level,
                                       eventsource_log_fn log,
                                       void *user_data,
                                       eventsource_destroy_fn destroy);

// Makes a config for a stream at an absolute http or https URL.
//
// What no request may carry is percent-encoded. user:password@ becomes Basic credentials, for the URL's origin only, and
// shows in no event and no log. The host is ASCII: an international name has to come as punycode (xn--...).
// INVALID_URL also: a port above 65535, no host.
eventsource_status eventsource_config_new(const char *url,
                                          eventsource_config **config_out);

// In words, what was wrong with the first refused setter; "" if none was. On loan until the config is changed or freed.
const char *eventsource_config_error(const eventsource_config *config, size_t *len);

// Sends a header with every request; a name set again, in any case of letters, is replaced.
//
// Accept, Cache-Control, Pragma and User-Agent replace the library's own. Last-Event-ID is
// eventsource_config_set_last_event_id. Authorization and Cookie are secret always.
// INVALID_HEADER: a name that is no HTTP token or longer than 256 bytes; a value with a control character (CR, LF, NUL)
// or longer than 64 KiB; an Authorization that is not ASCII; more than 128 headers; and Host, Content-Length,
// Transfer-Encoding, Connection, Keep-Alive, Expect, Upgrade, TE, Trailer, Accept-Encoding, Proxy-*.
eventsource_status eventsource_config_set_header(eventsource_config *config, const char *name, const char *value);

// The same for a header that only the origin (scheme, host, port) of the config's URL may see: a redirect to another
// leaves it out. A name once secret stays secret.
eventsource_status eventsource_config_set_secret_header(eventsource_config *config,
                                                        const char *name,
                                                        const char *value);

// The request method: any HTTP token but HEAD, CONNECT and TRACE, sent as it is written. Default GET, or POST once there
// is a body. Others than GET are repeated with care: see eventsource_reconnect_mode.
eventsource_status eventsource_config_set_method(eventsource_config *config,
                                                 const char *method);

// The request body, sent with every attempt; the method becomes POST unless one is set. body may be NULL if len is 0.
eventsource_status eventsource_config_set_body(eventsource_config *config, const uint8_t *body, size_t len);

// The last event ID to begin with, sent as Last-Event-ID until the stream brings another. Default "": not sent.
// INVALID_HEADER: it holds a control character (CR, LF), or is longer than 64 KiB.
eventsource_status eventsource_config_set_last_event_id(eventsource_config *config, const char *id);

// The time for DNS, TCP, proxy and TLS together. Default 10 000 ms; 0: none. More than a year counts as a year.
eventsource_status eventsource_config_set_connect_timeout(eventsource_config *config, uint64_t timeout_ms);

// The time from the request sent to the response's head, anew for each redirect. Default 60 000 ms for GET, none for
// other methods, since a model may think for minutes; 0: none. More than a year counts as a year.
eventsource_status eventsource_config_set_response_timeout(eventsource_config *config, uint64_t timeout_ms);

// How long an open stream may stay without a byte, comments included, before it counts as broken. Default 0: for ever.
// More than a year counts as a year.
eventsource_status eventsource_config_set_idle_timeout(eventsource_config *config, uint64_t timeout_ms);

// After how long without traffic TCP begins to probe whether the server is still there. Default 120 000 ms; 0: never. In
// whole seconds, rounded up; more than 32 767 s counts as 32 767 s.
eventsource_status eventsource_config_set_keepalive(eventsource_config *config,
                                                    uint64_t idle_ms);

// The wait before the first retry, and what the waits double up to. Default 1 000 ms and 30 000 ms. The server's retry:
// replaces first_ms. A max_ms below first_ms counts as first_ms; more than 24 h counts as 24 h. Waits are lengthened by
// up to 20 % at random.
eventsource_status eventsource_config_set_retry(eventsource_config *config, uint64_t first_ms, uint64_t max_ms);

// How many failures in a row are retried before one is final; 0: never reconnect. Default UINT32_MAX: no limit.
eventsource_status eventsource_config_set_max_retries(eventsource_config *config, uint32_t count);

// Whether to connect again: an eventsource_reconnect_mode. Default EVENTSOURCE_RECONNECT_AUTO.
eventsource_status eventsource_config_set_reconnect(eventsource_config *config, int mode);

// The WHATWG standard to the letter: any status but 200 is final. Default off: 204 ends the stream without an ERROR, and
// 408, 425, 429 and 5xx but 501 and 505 are retried.
eventsource_status eventsource_config_set_standard_status(eventsource_config *config,
                                                          bool on);

// The largest event or comment, in bytes of data, type and id together. A larger one is one ERROR EVENT_TOO_LARGE, and the
// stream goes on behind it. Default 32 MiB; 0 is INVALID_ARGUMENT.
eventsource_status eventsource_config_set_max_event_size(eventsource_config *config,
                                                         size_t bytes);

// Asks the server for gzip. Default off: many servers hold compressed events back.
eventsource_status eventsource_config_set_compression(eventsource_config *config, bool on);

// Refuses http: for this config's URL (INVALID_URL), in eventsource_set_url, in redirects. Default off.
eventsource_status eventsource_config_set_https_only(eventsource_config *config, bool on);

// Connects through a proxy: http://[user:password@]host[:port] (CONNECT), or the same with socks5://, where the proxy
// looks names up. Port 1080 unless given, as with curl. NULL, the default: directly.
eventsource_status eventsource_config_set_proxy(eventsource_config *config, const char *url);

// Takes the proxy that the environment names now, by curl's rules: https_proxy, HTTPS_PROXY, http_proxy, all_proxy,
// ALL_PROXY, no_proxy, NO_PROXY. INVALID_URL: one of them is no URL of an http or socks5 proxy.
eventsource_status eventsource_config_set_proxy_from_env(eventsource_config *config);

// Trusts the certificates of a PEM bundle beside the platform's. May be called again for more.
// INVALID_CERTIFICATE: there is none, or one cannot be read.
eventsource_status eventsource_config_add_ca_pem(eventsource_config *config, const uint8_t *pem, size_t len);

// Trusts the certificates of a PEM bundle (and those of eventsource_config_add_ca_pem) instead of the platform's.
eventsource_status eventsource_config_set_only_ca_pem(eventsource_config *config, const uint8_t *pem, size_t len);

// Shows a certificate to a server that asks for one: a chain in PEM, the client's own certificate first, and its private
// key (PKCS#8, PKCS#1 or SEC1, not encrypted). INVALID_CERTIFICATE: no certificate, not exactly one key, or they do not
// belong together.
eventsource_status eventsource_config_set_identity_pem(eventsource_config *config,
                                                       const uint8_t *pem,
                                                       size_t len);

// Accepts only chains with a certificate of this public key: the SHA-256 of its SPKI in base64, with or without sha256/
// in front. Pins come on top of the ordinary verification. With several pins, one has to match. On
// Apple and Windows, a root of the system's counts only if the server sends it.
eventsource_status eventsource_config_add_pin(eventsource_config *config, const char *sha256_base64);

// The stack of the library's thread, on which callbacks run: 128 KiB to 256 MiB, default 512 KiB.
eventsource_status eventsource_config_set_stack_size(eventsource_config *config, size_t bytes);

// Frees a config; sources made of it live on. NULL: nothing.
void eventsource_config_free(eventsource_config *config);

// Makes a source. No I/O: nothing happens before one of the drivers below is called. A status that a setter of the config
// has answered is answered again.
eventsource_status eventsource_new(const eventsource_config *config,
                                   eventsource **source_out);

// Registers a callback for the events of a kind (EVENTSOURCE_KIND_ANY: all), and, for MESSAGE, of one event type (NULL:
// all). Callbacks are called in the order of their registration; none is taken away again. BUSY once a driver runs;
// INVALID_ARGUMENT for a type with another kind. Where this fails, destroy has been called when it returns; else it is
// called after CLOSE, on the thread that delivered it.
eventsource_status eventsource_on(eventsource *source,
                                  eventsource_kind kind,
                                  const char *event_type,
                                  eventsource_callback_fn callback,
                                  void *user_data,
                                  eventsource_destroy_fn destroy);

// Delivers events to the callbacks on a thread of the library's. OUT_OF_RESOURCES: nothing has changed, and it may be
// called again.
eventsource_status eventsource_start(eventsource *source);

// Delivers events to the callbacks on the calling thread, and returns OK after CLOSE and every destroy.
eventsource_status eventsource_run(eventsource *source);

// Blocks until there is an event. OK, or CLOSED after the CLOSE event. The calling thread itself does the network's
// work in here: while nobody calls, nothing is received.
eventsource_status eventsource_next(eventsource *source, const eventsource_event **event_out);

// Prepares a source for an event loop: a thread of the library's does what blocks, eventsource_poll fetches the events.
//
// This counts as an AGAIN. After each AGAIN wake is called exactly once, when there is reason to poll: an event, a close,
// resume or reconnect; AGAINs with no wake between them share the next. It is called on the library's thread; typically it
// writes to a pipe or posts to the loop.
// eventsource_poll inside wake is BUSY. Where this fails, destroy has been called when it returns; else it is the last
// thing that the library's thread does.
eventsource_status eventsource_start_polled(eventsource *source,
                                            eventsource_wake_fn wake,
                                            void *user_data,
                                            eventsource_destroy_fn destroy);

// As eventsource_start_polled, for a loop that can also wait until a descriptor is readable (level-triggered): a single
// event then wakes the loop alone, and not the library's thread before it.
//
// watch is called with a descriptor while eventsource_poll is about to answer AGAIN. If it returns true, poll when that is
// readable or when wake tells, which then need not come. Readable it stays until you have polled: who puts that off should
// stop waiting for it. watch is called with -1 before the descriptor is closed or another takes its place, in
// eventsource_poll, eventsource_free or eventsource_release, on the thread that calls these. false: it cannot, and is not
// asked again. Where a stream cannot be waited for like this (compressed, a flood through TLS, on Windows) wake tells of
// everything, as ever. It may call any function but those that ask for an event; destroy is called after the last watch.
eventsource_status eventsource_start_watched(eventsource *source,
                                             eventsource_wake_fn wake,
                                             eventsource_watch_fn watch,
                                             void *user_data,
                                             eventsource_destroy_fn destroy);

// Never blocks: OK and an event; AGAIN, there is none now; or CLOSED after the CLOSE event. Poll until AGAIN. Also good
// beside eventsource_next, to fetch what has been received already: there AGAIN means, call eventsource_next.
eventsource_status eventsource_poll(eventsource *source, const eventsource_event **event_out);

// As eventsource_poll again and again, cheaper where there are many events: calls each on the calling thread until it
// returns false, which gives OK, or until there is no event: AGAIN or CLOSED. The last event stays on loan.
eventsource_status eventsource_poll_each(eventsource *source, eventsource_each_fn each, void *user_data);

// Closes for good. eventsource_get_state is CLOSED at once, and whatever blocks ends. From a callback of the source, or
// between two polls: nothing but CLOSE follows. From another thread: at most the one callback that has begun still runs.
eventsource_status eventsource_close(const eventsource *source);

// Disconnects and stays away until eventsource_resume; the place in the stream is kept. What was received and not yet
// handed out is asked for again by its event ID. Not flow control: for that, stop asking for events.
eventsource_status eventsource_pause(const eventsource *source);

// Connects a paused source again at once, with a fresh back-off. A source that is not paused is left alone.
eventsource_status eventsource_resume(const eventsource *source);

// The network has changed: drops the connection or the wait and connects anew at once, with a fresh back-off. A source that
// is paused or has not begun is left alone.
eventsource_status eventsource_reconnect(const eventsource *source);

// Answers an ERROR, until its callback ends or the next event is asked for: try again delay_ms after it came (at most a
// year; -1: the library's own delay), even where retry_ms says that there will be no other attempt. The last answer counts.
// A second retry with delay 0 in a row, if the attempt between them did not open, waits the library's delay.
eventsource_status eventsource_retry(const eventsource *source,
                                     int64_t delay_ms);

// Answers a CONNECT, until its callback ends or the next event is asked for: this attempt cannot be made, for that reason.
// It becomes an ERROR APPLICATION with the usual back-off.
eventsource_status eventsource_fail(const eventsource *source,
                                    const char *reason);

// Replaces the configured URL, its credentials included, from the next attempt on. Headers that were secret before stay
// with the origin they were set for; the last event ID is kept.
eventsource_status eventsource_set_url(const eventsource *source, const char *url);

// Sets a header from the next attempt on, under the rules of eventsource_config_set_header; NULL takes it away. In a CONNECT
// that very attempt is the next.
eventsource_status eventsource_set_header(const eventsource *source,
                                          const char *name,
                                          const char *value);

// The same for a header that must not leave the origin of the URL configured now.
eventsource_status eventsource_set_secret_header(const eventsource *source, const char *name, const char *value);

// Where the source stands. CLOSED for NULL.
eventsource_state eventsource_get_state(const eventsource *source);

// Closes, and waits until all is over: CLOSE delivered to the callbacks, every destroy returned, the library's thread gone.
// Hold no lock that they take. Inside any callback of the library it does not wait, as eventsource_release. NULL: nothing.
void eventsource_free(eventsource *source);

// Closes and never waits. CLOSE and destroy follow on the library's thread: destroy tells that all is over. NULL: nothing.
void eventsource_release(eventsource *source);

// What kind of event it is.
eventsource_kind eventsource_event_kind(const eventsource_event *event);

// The event type of a MESSAGE ("message" unless the server names another); else the kind's name, such as "open".
const char *eventsource_event_type(const eventsource_event *event, size_t *len);

// A MESSAGE's data, a COMMENT's text, the reason of an ERROR or CLOSE in words.
const char *eventsource_event_data(const eventsource_event *event, size_t *len);

// The last event ID, this event's included. CONNECT: the one that will be sent.
const char *eventsource_event_id(const eventsource_event *event, size_t *len);

// Where the attempt goes (CONNECT), where the stream comes from after redirects, or what was tried last.
const char *eventsource_event_url(const eventsource_event *event, size_t *len);

// What went wrong.
eventsource_error eventsource_event_error(const eventsource_event *event);

// The source's state as this event sees it.
eventsource_state eventsource_event_state(const eventsource_event *event);

// The HTTP status, or 0 where there was none.
uint16_t eventsource_event_http_status(const eventsource_event *event);

// ERROR: milliseconds until the next attempt, or -1: there will be none (unless the state is OPEN: the stream goes on).
// Other events: -1.
int64_t eventsource_event_retry_ms(const eventsource_event *event);

// OPEN and ERROR: the first response header of that name, in any case of letters. NULL, and length 0, if there is none.
const char *eventsource_event_header(const eventsource_event *event, const char *name, size_t *len);

// OPEN and ERROR: all response headers, in the order received; false, and both NULL, past the end. Header texts hold no
// NUL.
bool eventsource_event_header_at(const eventsource_event *event, size_t index, const char **name, const char **value);

// ERROR: the first 4 KiB of the refused response's body, made UTF-8.
const char *eventsource_event_body(const eventsource_event *event, size_t *len);

// A copy to keep: it belongs to no source and no thread. NULL if there is no memory for it, or the event is NULL.
eventsource_event *eventsource_event_clone(const eventsource_event *event);

// Frees what eventsource_event_clone made, and nothing else. NULL: nothing.
void eventsource_event_free(eventsource_event *event);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* EVENTSOURCE_H */
