// bionic's place of errno has another name than musl's.
#include <bits/errno.h>
#ifdef __ANDROID__
#define __errno_location __errno
#endif
#ifdef __cplusplus
extern "C"
#endif
int *__errno_location(void);
#define errno (*__errno_location())
