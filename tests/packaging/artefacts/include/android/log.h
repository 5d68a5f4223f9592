/* What the bindings use of Android's log: declarations of the NDK's, which a Debian machine has not. */
#ifndef ANDROID_LOG_H
#define ANDROID_LOG_H
#ifdef __cplusplus
extern "C" {
#endif
enum { ANDROID_LOG_VERBOSE = 2, ANDROID_LOG_DEBUG, ANDROID_LOG_INFO, ANDROID_LOG_WARN, ANDROID_LOG_ERROR, ANDROID_LOG_FATAL, ANDROID_LOG_SILENT };
int __android_log_write(int priority, const char *tag, const char *text);
#ifdef __cplusplus
}
#endif
#endif
