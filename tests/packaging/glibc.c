// Before 2.33, glibc had these in the static part of libc only, as calls of the functions below; those are still there today.
// Defined here they stay inside the shared library, which so runs from 2.17 on, whatever glibc the machine has that links it.
#ifdef __x86_64__
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif
extern int __xstat64(int version, const char *path, void *stat);
extern int __fxstat64(int version, int fd, void *stat);

int stat64(const char *path, void *stat) { return __xstat64(STAT_VERSION, path, stat); }
int fstat64(int fd, void *stat) { return __fxstat64(STAT_VERSION, fd, stat); }
