/*
 * The JNI side of io.github.libeventsource.Native: bytes in, bytes out, and no decision of its own.
 *
 * Every function here is called by a Java thread; no native thread ever enters the VM, so nothing is attached and no
 * class is looked up but by the caller's own call. Texts come as UTF-8 byte arrays that end in a NUL (the Kotlin side
 * has refused NULs inside), never as modified UTF-8. Events go back as one byte array for as many of them as there are.
 */
#include <jni.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ANDROID__
#include <android/log.h>
#endif

#include "batch.h"
#include "eventsource.h"

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_io_github_libeventsource_Native_##name
#define UNUSED(x) ((void)(x))

/* What a Kotlin Long holds for a source. Only the pulling thread touches `pending`. */
struct handle {
  eventsource *source;
  const eventsource_event *pending; /* taken, but there was no room for it: still on loan, goes first next time */
};

enum {
  /* On the pulling thread's stack: a quiet source owns no buffer. What is kept of a burst keeps no more than this. Intake.kt has
   * an array of this size. */
  BATCH = 16 * 1024,
  /* A smaller batch gets an array of its own, even if there is one to be used again. */
  SMALL = BATCH / 4,
};

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  UNUSED(vm);
  UNUSED(reserved);
  return JNI_VERSION_1_6;
}

static void throw_out_of_memory(JNIEnv *env, const char *message) {
  if ((*env)->ExceptionCheck(env)) return;
  jclass type = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
  if (type != NULL) (*env)->ThrowNew(env, type, message);
}

static jbyteArray bytes_of(JNIEnv *env, const char *text, size_t len) {
  jbyteArray array = len <= INT_MAX ? (*env)->NewByteArray(env, (jsize)len) : NULL;
  if (array == NULL) throw_out_of_memory(env, "an event does not fit into the heap");
  else (*env)->SetByteArrayRegion(env, array, 0, (jsize)len, (const jbyte *)text);
  return array;
}

/* A byte array for the length of one call. */
struct text {
  jbyteArray array;
  jbyte *bytes; /* NULL where the array is null */
  size_t len;
};

static struct text borrow(JNIEnv *env, jbyteArray array) {
  struct text text = {array, NULL, 0};
  if (array == NULL) return text;
  text.len = (size_t)(*env)->GetArrayLength(env, array);
  text.bytes = (*env)->GetByteArrayElements(env, array, NULL);
  return text;
}

/* No memory: NULL would be taken for no text, which means something else. */
static bool is_lost(struct text text) {
  return text.array != NULL && text.bytes == NULL;
}

static void give_back(JNIEnv *env, struct text text) {
  if (text.bytes != NULL) (*env)->ReleaseByteArrayElements(env, text.array, text.bytes, JNI_ABORT);
}

/* ---- the library ---- */

NATIVE(jbyteArray, version)(JNIEnv *env, jclass type) {
  UNUSED(type);
  const char *text = eventsource_version();
  return bytes_of(env, text, strlen(text));
}

NATIVE(jbyteArray, statusText)(JNIEnv *env, jclass type, jint status) {
  UNUSED(type);
  const char *text = eventsource_status_text(status);
  return bytes_of(env, text, strlen(text));
}

/* To logcat or standard error, because a library thread may log and none enters the VM. */
static void log_line(void *user_data, int level, const char *target, const char *message) {
  UNUSED(user_data);
#ifdef __ANDROID__
  static const int priority[] = {ANDROID_LOG_SILENT, ANDROID_LOG_ERROR, ANDROID_LOG_WARN,
                                 ANDROID_LOG_INFO,   ANDROID_LOG_DEBUG, ANDROID_LOG_VERBOSE};
  __android_log_write(level >= 0 && level < 6 ? priority[level] : ANDROID_LOG_VERBOSE, target, message);
#else
  static const char *const name[] = {"off", "error", "warn", "info", "debug", "trace"};
  fprintf(stderr, "%s %s: %s\n", level >= 0 && level < 6 ? name[level] : "trace", target, message);
#endif
}

NATIVE(jint, setLog)(JNIEnv *env, jclass type, jint level) {
  UNUSED(env);
  UNUSED(type);
  return eventsource_set_log(level, level == 0 ? NULL : log_line, NULL, NULL);
}

/* ---- config ---- */

/* A pointer or a status below 0, which Native.isStatus tells apart. */
NATIVE(jlong, configNew)(JNIEnv *env, jclass type, jbyteArray url) {
  UNUSED(type);
  struct text text = borrow(env, url);
  eventsource_config *config = NULL;
  eventsource_status status = EVENTSOURCE_STATUS_OUT_OF_RESOURCES;
  if (!is_lost(text)) status = eventsource_config_new((const char *)text.bytes, &config);
  give_back(env, text);
  return status == EVENTSOURCE_STATUS_OK ? (jlong)(uintptr_t)config : (jlong)status;
}

/* The numbers of Option in Config.kt. */
enum option {
  OPTION_HEADER,
  OPTION_SECRET_HEADER,
  OPTION_METHOD,
  OPTION_BODY,
  OPTION_LAST_EVENT_ID,
  OPTION_CONNECT_TIMEOUT,
  OPTION_RESPONSE_TIMEOUT,
  OPTION_IDLE_TIMEOUT,
  OPTION_KEEPALIVE,
  OPTION_RETRY,
  OPTION_MAX_RETRIES,
  OPTION_RECONNECT,
  OPTION_STANDARD_STATUS,
  OPTION_MAX_EVENT_SIZE,
  OPTION_COMPRESSION,
  OPTION_HTTPS_ONLY,
  OPTION_PROXY,
  OPTION_PROXY_FROM_ENV,
  OPTION_ADD_CA_PEM,
  OPTION_ONLY_CA_PEM,
  OPTION_IDENTITY_PEM,
  OPTION_ADD_PIN,
  OPTION_STACK_SIZE,
};

static size_t size_of(jlong number) {
  return (uint64_t)number > SIZE_MAX ? SIZE_MAX : (size_t)number;
}

static eventsource_status set_option(eventsource_config *config, jint option, struct text first, struct text second,
                                     jlong number, jlong more) {
  const char *text = (const char *)first.bytes;
  const uint8_t *bytes = (const uint8_t *)first.bytes;
  switch ((enum option)option) {
  case OPTION_HEADER: return eventsource_config_set_header(config, text, (const char *)second.bytes);
  case OPTION_SECRET_HEADER: return eventsource_config_set_secret_header(config, text, (const char *)second.bytes);
  case OPTION_METHOD: return eventsource_config_set_method(config, text);
  case OPTION_BODY: return eventsource_config_set_body(config, bytes, first.len);
  case OPTION_LAST_EVENT_ID: return eventsource_config_set_last_event_id(config, text);
  case OPTION_CONNECT_TIMEOUT: return eventsource_config_set_connect_timeout(config, (uint64_t)number);
  case OPTION_RESPONSE_TIMEOUT: return eventsource_config_set_response_timeout(config, (uint64_t)number);
  case OPTION_IDLE_TIMEOUT: return eventsource_config_set_idle_timeout(config, (uint64_t)number);
  case OPTION_KEEPALIVE: return eventsource_config_set_keepalive(config, (uint64_t)number);
  case OPTION_RETRY: return eventsource_config_set_retry(config, (uint64_t)number, (uint64_t)more);
  case OPTION_MAX_RETRIES: return eventsource_config_set_max_retries(config, (uint32_t)number);
  case OPTION_RECONNECT: return eventsource_config_set_reconnect(config, (int)number);
  case OPTION_STANDARD_STATUS: return eventsource_config_set_standard_status(config, number != 0);
  case OPTION_MAX_EVENT_SIZE: return eventsource_config_set_max_event_size(config, size_of(number));
  case OPTION_COMPRESSION: return eventsource_config_set_compression(config, number != 0);
  case OPTION_HTTPS_ONLY: return eventsource_config_set_https_only(config, number != 0);
  case OPTION_PROXY: return eventsource_config_set_proxy(config, text);
  case OPTION_PROXY_FROM_ENV: return eventsource_config_set_proxy_from_env(config);
  case OPTION_ADD_CA_PEM: return eventsource_config_add_ca_pem(config, bytes, first.len);
  case OPTION_ONLY_CA_PEM: return eventsource_config_set_only_ca_pem(config, bytes, first.len);
  case OPTION_IDENTITY_PEM: return eventsource_config_set_identity_pem(config, bytes, first.len);
  case OPTION_ADD_PIN: return eventsource_config_add_pin(config, text);
  case OPTION_STACK_SIZE: return eventsource_config_set_stack_size(config, size_of(number));
  }
  return EVENTSOURCE_STATUS_UNSUPPORTED;
}

NATIVE(jint, configSet)(JNIEnv *env, jclass type, jlong config, jint option, jbyteArray first, jbyteArray second,
                        jlong number, jlong more) {
  UNUSED(type);
  eventsource_status status = EVENTSOURCE_STATUS_OUT_OF_RESOURCES;
  struct text one = borrow(env, first), two = borrow(env, is_lost(one) ? NULL : second);
  if (!is_lost(one) && !is_lost(two)) status = set_option((eventsource_config *)(uintptr_t)config, option, one, two, number, more);
  give_back(env, two);
  give_back(env, one);
  return status;
}

NATIVE(jbyteArray, configError)(JNIEnv *env, jclass type, jlong config) {
  UNUSED(type);
  size_t len = 0;
  const char *text = eventsource_config_error((const eventsource_config *)(uintptr_t)config, &len);
  return bytes_of(env, text, len);
}

NATIVE(void, configFree)(JNIEnv *env, jclass type, jlong config) {
  UNUSED(env);
  UNUSED(type);
  eventsource_config_free((eventsource_config *)(uintptr_t)config);
}

/* ---- source ---- */

static struct handle *handle_of(jlong number) {
  return (struct handle *)(uintptr_t)number;
}

NATIVE(jlong, sourceNew)(JNIEnv *env, jclass type, jlong config) {
  UNUSED(env);
  UNUSED(type);
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL) return EVENTSOURCE_STATUS_OUT_OF_RESOURCES;
  eventsource_status status = eventsource_new((const eventsource_config *)(uintptr_t)config, &handle->source);
  if (status == EVENTSOURCE_STATUS_OK) return (jlong)(uintptr_t)handle;
  free(handle);
  return status;
}

NATIVE(void, sourceFree)(JNIEnv *env, jclass type, jlong number) {
  UNUSED(env);
  UNUSED(type);
  eventsource_free(handle_of(number)->source);
  free(handle_of(number));
}

NATIVE(jint, state)(JNIEnv *env, jclass type, jlong number) {
  UNUSED(env);
  UNUSED(type);
  return (jint)eventsource_get_state(handle_of(number)->source);
}

/* The numbers of Native.CLOSE and its sisters. */
NATIVE(jint, call)(JNIEnv *env, jclass type, jlong number, jint call, jlong delay) {
  UNUSED(env);
  UNUSED(type);
  const eventsource *source = handle_of(number)->source;
  switch (call) {
  case 0: return eventsource_close(source);
  case 1: return eventsource_pause(source);
  case 2: return eventsource_resume(source);
  case 3: return eventsource_reconnect(source);
  case 4: return eventsource_retry(source, delay);
  }
  return EVENTSOURCE_STATUS_UNSUPPORTED;
}

/* The numbers of Native.FAIL and its sisters. */
NATIVE(jint, callText)(JNIEnv *env, jclass type, jlong number, jint call, jbyteArray first, jbyteArray second) {
  UNUSED(type);
  const eventsource *source = handle_of(number)->source;
  struct text one = borrow(env, first), two = borrow(env, is_lost(one) ? NULL : second);
  const char *text = (const char *)one.bytes, *value = (const char *)two.bytes;
  bool are_there = !is_lost(one) && !is_lost(two);
  eventsource_status status = are_there ? EVENTSOURCE_STATUS_UNSUPPORTED : EVENTSOURCE_STATUS_OUT_OF_RESOURCES;
  if (are_there) switch (call) {
  case 0: status = eventsource_fail(source, text); break;
  case 1: status = eventsource_set_url(source, text); break;
  case 2: status = eventsource_set_header(source, text, value); break;
  case 3: status = eventsource_set_secret_header(source, text, value); break;
  }
  give_back(env, two);
  give_back(env, one);
  return status;
}

/* ---- events ---- */

/* As a Java array: `again`, if it has room and it pays, or a new one. */
static jbyteArray hand_over(JNIEnv *env, struct batch *batch, jbyteArray again) {
  size_t size = batch->index + batch->data;
  batch->head.index_size = (uint32_t)batch->index;
  batch->head.size = (uint32_t)size;
  memcpy(batch->bytes, &batch->head, sizeof batch->head);
  jbyteArray array = again;
  if (again == NULL || size < SMALL || size > BATCH) array = size <= INT_MAX ? (*env)->NewByteArray(env, (jsize)size) : NULL;
  if (array == NULL) {
    throw_out_of_memory(env, "an event does not fit into the heap");
    return NULL;
  }
  (*env)->SetByteArrayRegion(env, array, 0, (jsize)batch->index, (const jbyte *)batch->bytes);
  const char *data = batch->bytes + batch->room - batch->data;
  if (batch->data != 0) (*env)->SetByteArrayRegion(env, array, (jsize)batch->index, (jsize)batch->data, (const jbyte *)data);
  return array;
}

/* Should the library itself fail, the stream still ends as every stream does: with the status' words. */
static jbyteArray last_words(JNIEnv *env, eventsource_status status) {
  char room[512];
  struct batch batch = batch_in(room, sizeof room);
  struct slice words = {eventsource_status_text(status), 0};
  while (words.len < 200 && words.text[words.len] != '\0') words.len++;
  begin(&batch, NULL);
  char *record = room + batch.index;
  add_other(&batch, NULL, EVENTSOURCE_KIND_CLOSE);
  set_span(record + offsetof(struct record, data), put(&batch, words));
  end_record(&batch, record, EVENTSOURCE_KIND_CLOSE, EVENTSOURCE_ERROR_INTERNAL, EVENTSOURCE_STATE_CLOSED);
  return hand_over(env, &batch, NULL);
}

/* A batch that is being filled. */
struct filling {
  struct handle *handle;
  struct batch batch;
  bool waits, is_large; /* the event on loan is larger than any buffer */
};

/* Writes an event down. False: the batch ends with it, or before it. CONNECT comes alone, and ERROR and CLOSE come last, since
 * whoever asks for the next event ends the time in which they can be answered. */
static bool add(void *data, const eventsource_event *event) {
  struct filling *filling = data;
  struct batch *batch = &filling->batch;
  eventsource_kind kind = eventsource_event_kind(event);
  bool has_to_wait = kind == EVENTSOURCE_KIND_CONNECT && (!filling->waits || !is_empty(batch));
  if (has_to_wait || !add_event(batch, event, kind)) {
    filling->is_large = !has_to_wait && is_empty(batch);
    filling->handle->pending = event;
    return false;
  }
  return kind != EVENTSOURCE_KIND_CONNECT && kind != EVENTSOURCE_KIND_ERROR && kind != EVENTSOURCE_KIND_CLOSE;
}

/* An event that is larger than any buffer gets an array of its own. */
static jbyteArray large(JNIEnv *env, struct handle *handle, const eventsource_event *event) {
  size_t size = size_alone(event);
  struct filling filling = {handle, batch_in(size <= INT_MAX ? malloc(size) : NULL, size), true, false};
  if (filling.batch.bytes == NULL) {
    throw_out_of_memory(env, "an event does not fit into memory");
    return NULL;
  }
  add(&filling, event);
  jbyteArray array = hand_over(env, &filling.batch, NULL);
  free(filling.batch.bytes);
  return array;
}

/* Waits for an event and takes what else has arrived with it. Or does not wait: null where nothing but another wait would
 * bring more. */
NATIVE(jbyteArray, fill)(JNIEnv *env, jclass type, jlong number, jbyteArray again, jboolean wait) {
  UNUSED(type);
  struct handle *handle = handle_of(number);
  _Alignas(8) char room[BATCH];
  struct filling filling = {handle, batch_in(room, BATCH), wait, false};
  const eventsource_event *event = handle->pending;
  handle->pending = NULL;
  if (event == NULL && wait) {
    eventsource_status status = eventsource_next(handle->source, &event);
    if (status != EVENTSOURCE_STATUS_OK) return last_words(env, status);
  }
  /* What fails here fails again in next. */
  if (event == NULL || add(&filling, event)) eventsource_poll_each(handle->source, add, &filling);
  if (filling.is_large) {
    event = handle->pending;
    handle->pending = NULL;
    return large(env, handle, event);
  }
  return is_empty(&filling.batch) ? NULL : hand_over(env, &filling.batch, again);
}
