// As large as bionic's and musl's at least: 40 bytes on 32 bits, 56 on 64.
typedef struct {
  long opaque[10];
} pthread_rwlock_t;
#define PTHREAD_RWLOCK_INITIALIZER {{0}}
#ifdef __cplusplus
extern "C" {
#endif
int pthread_rwlock_rdlock(pthread_rwlock_t *);
int pthread_rwlock_wrlock(pthread_rwlock_t *);
int pthread_rwlock_unlock(pthread_rwlock_t *);
#ifdef __cplusplus
}
#endif
