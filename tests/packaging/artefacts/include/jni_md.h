/* The machine's part of jni.h for every platform, since a JDK has only that of its own. */
#ifndef JNI_MD_H
#define JNI_MD_H
#ifdef _WIN32
#define JNIEXPORT __declspec(dllexport)
#define JNICALL __stdcall
#else
#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL
#endif
#define JNIIMPORT
typedef int jint;
typedef long long jlong;
typedef signed char jbyte;
#endif
