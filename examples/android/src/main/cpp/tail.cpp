// Follows a stream in C++ and logs its messages.

#include <android/log.h>
#include <eventsource.h>
#include <jni.h>

namespace {

eventsource *source_of(jlong number) { return reinterpret_cast<eventsource *>(number); }

}  // namespace

extern "C" JNIEXPORT jlong JNICALL Java_example_tail_MainActivity_open(JNIEnv *env, jclass, jstring address) {
  const char *url = env->GetStringUTFChars(address, nullptr);
  if (url == nullptr) return 0;
  eventsource_config *config = nullptr;
  eventsource *source = nullptr;
  if (eventsource_config_new(url, &config) == EVENTSOURCE_STATUS_OK) eventsource_new(config, &source);
  eventsource_config_free(config);
  env->ReleaseStringUTFChars(address, url);
  return reinterpret_cast<jlong>(source);
}

extern "C" JNIEXPORT void JNICALL Java_example_tail_MainActivity_follow(JNIEnv *, jclass, jlong number) {
  const eventsource_event *event = nullptr;
  while (eventsource_next(source_of(number), &event) == EVENTSOURCE_STATUS_OK) {
    const eventsource_kind kind = eventsource_event_kind(event);
    if (kind == EVENTSOURCE_KIND_MESSAGE || kind == EVENTSOURCE_KIND_ERROR) __android_log_write(ANDROID_LOG_INFO, "tail", eventsource_event_data(event, nullptr));
  }
}

// From another thread than `follow`, which then returns.
extern "C" JNIEXPORT void JNICALL Java_example_tail_MainActivity_close(JNIEnv *, jclass, jlong number) { eventsource_close(source_of(number)); }

extern "C" JNIEXPORT void JNICALL Java_example_tail_MainActivity_free(JNIEnv *, jclass, jlong number) { eventsource_free(source_of(number)); }
